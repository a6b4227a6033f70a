//! Pictures of figures: line plots and the bars in tables, as SVG.

use std::fmt::Write as _;

use askama::Template;

/// A plot with one or more lines.
pub(crate) struct Plot<'a> {
    pub(crate) title: &'a str,
    pub(crate) x_label: &'a str,
    /// Whether the x axis is logarithmic; its values then are at least 1.
    pub(crate) log_x: bool,
    /// Whether values hold until the next one, instead of being joined by straight lines.
    pub(crate) steps: bool,
    /// Names and points, x rising.
    pub(crate) lines: Vec<(&'a str, Vec<(f64, f64)>)>,
}

const LEFT: f64 = 64.0;
const RIGHT: f64 = 544.0;
const TOP: f64 = 32.0;
const BOTTOM: f64 = 248.0;

impl Plot<'_> {
    /// Draws it.
    pub(crate) fn render(&self) -> askama::Result<String> {
        let max = |of: fn(&(f64, f64)) -> f64| {
            self.lines.iter().flat_map(|line| &line.1).map(of).filter(|v| v.is_finite()).fold(0.0, f64::max)
        };
        let (x_max, y_max) = (nice(max(|p| p.0).max(1.0)), nice(max(|p| p.1)));
        let x_max = if self.log_x { 10f64.powf(max(|p| p.0).max(10.0).log10().ceil()) } else { x_max };
        let x = |value: f64| {
            let part = if self.log_x { value.max(1.0).log10() / x_max.log10() } else { value / x_max };
            LEFT + part * (RIGHT - LEFT)
        };
        let y = |value: f64| BOTTOM - value / y_max * (BOTTOM - TOP);
        let x_ticks = if self.log_x {
            let mut ticks = vec![1.0];
            while ticks.last().is_some_and(|last| last * 10.0 <= x_max * 1.001) {
                ticks.push(ticks[ticks.len() - 1] * 10.0);
            }
            ticks
        } else {
            (0..=4).map(|i| x_max * f64::from(i) / 4.0).collect()
        };
        let page = Page {
            title: self.title,
            x_label: self.x_label,
            x_ticks: x_ticks.into_iter().map(|value| (x(value).round(), tick(value))).collect(),
            y_ticks: (0..=4)
                .map(|i| y_max * f64::from(i) / 4.0)
                .map(|value| (y(value).round(), tick(value)))
                .collect(),
            lines: self.lines.iter().map(|(name, points)| (*name, self.path(points, x, y))).collect(),
        };
        page.render()
    }

    fn path(&self, points: &[(f64, f64)], x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) -> String {
        let mut path = String::new();
        for (i, &(at, value)) in points.iter().filter(|p| p.0.is_finite() && p.1.is_finite()).enumerate() {
            let (at, value) = (x(at), y(value));
            let _ = match (i, self.steps) {
                (0, _) => write!(path, "M{at:.1} {value:.1}"),
                (_, true) => write!(path, "H{at:.1}V{value:.1}"),
                (_, false) => write!(path, "L{at:.1} {value:.1}"),
            };
        }
        path
    }
}

/// Renders a bar of `part` of the whole, for a table cell.
pub(crate) fn bar(part: f64) -> String {
    let width = if part > 0.0 { (part.min(1.0) * 200.0).max(1.0) } else { 0.0 };
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 200 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect class=\"full\" width=\"200\" height=\"10\"/><rect class=\"part\" width=\"{width:.1}\" height=\"10\"/></svg>"
    )
}

/// Renders a step curve from 0 to 1 over a logarithmic axis up to `x_max`, for a table cell.
pub(crate) fn curve(points: &[(f64, f64)], x_max: f64) -> String {
    let x = |value: f64| value.max(1.0).ln() / x_max.max(std::f64::consts::E).ln() * 200.0;
    let mut path = String::from("M0 32");
    for &(at, part) in points {
        let _ = write!(path, "H{:.1}V{:.1}", x(at), 32.0 - part * 28.0);
    }
    format!(
        "<svg class=\"curve\" viewBox=\"0 0 200 36\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <path d=\"{path}H200\"/></svg>"
    )
}

/// Returns the next figure up that reads well: 1, 2, 2.5, 5 or 10 times a power of ten.
fn nice(max: f64) -> f64 {
    if max <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(max.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|&v| v >= max * 0.9999)
        .unwrap_or(max)
}

fn tick(value: f64) -> String {
    let (scaled, unit) = match value {
        v if v >= 1e9 => (v / 1e9, "G"),
        v if v >= 1e6 => (v / 1e6, "M"),
        v if v >= 1e3 => (v / 1e3, "k"),
        v => (v, ""),
    };
    let shown = format!("{scaled:.2}");
    format!("{}{unit}", shown.trim_end_matches('0').trim_end_matches('.'))
}

#[derive(Template)]
#[template(path = "plot.svg")]
struct Page<'a> {
    title: &'a str,
    x_label: &'a str,
    x_ticks: Vec<(f64, String)>,
    y_ticks: Vec<(f64, String)>,
    lines: Vec<(&'a str, String)>,
}

#[cfg(test)]
mod tests {
    use super::{nice, tick};

    #[test]
    fn axes_end_at_round_figures() {
        assert!((nice(873.0) - 1000.0).abs() < 1e-9);
        assert!((nice(0.013) - 0.02).abs() < 1e-9);
        assert!((nice(0.0) - 1.0).abs() < 1e-9);
        assert_eq!(tick(1250.0), "1.25k");
        assert_eq!(tick(250_000.0), "250k");
        assert_eq!(tick(0.0), "0");
    }
}
