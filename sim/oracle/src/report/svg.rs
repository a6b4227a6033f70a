//! The cycles as pictures.

use std::f64::consts::TAU;
use std::fmt::Write;

use super::CheckReport;
use crate::blackbox::{Anomaly, CycleEdge};

/// Height of one drawing.
const SIDE: usize = 360;
/// Width of a drawing and its sentences.
const WIDTH: usize = 1100;
const RADIUS: f64 = 110.0;

/// Renders all cycles of a report, one below the other.
pub(super) fn svg(report: &CheckReport) -> String {
    let cycles: Vec<&Anomaly> = report.cycles().collect();
    let mut svg = open(cycles.len().max(1) * SIDE);
    if cycles.is_empty() {
        svg.push_str("<text x=\"20\" y=\"30\">no cycle</text>\n");
    }
    for (number, anomaly) in cycles.into_iter().enumerate() {
        draw(&mut svg, report, anomaly, number * SIDE);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Renders one cycle.
pub(super) fn one(report: &CheckReport, anomaly: &Anomaly) -> String {
    let mut svg = open(SIDE);
    draw(&mut svg, report, anomaly, 0);
    svg.push_str("</svg>\n");
    svg
}

fn open(height: usize) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<defs><marker id=\"head\" viewBox=\"0 0 8 8\" \
         refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">\
         <path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n"
    )
}

/// Returns the kind of an edge and its key, as the file writes it.
pub(super) fn label(report: &CheckReport, edge: &CycleEdge) -> String {
    match &edge.key {
        Some(key) => format!("{} {}", edge.why.short(), report.key(key)),
        None => edge.why.short().to_owned(),
    }
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Draws the transactions of a cycle on a circle, and its sentences beside it.
fn draw(svg: &mut String, report: &CheckReport, anomaly: &Anomaly, top: usize) {
    let center = (180.0, top as f64 + 190.0);
    let count = anomaly.cycle.len() as f64;
    let place = |at: f64, radius: f64| {
        let angle = TAU * at / count - TAU / 4.0;
        (center.0 + radius * angle.cos(), center.1 + radius * angle.sin())
    };
    let _ = writeln!(
        svg,
        "<text x=\"20\" y=\"{}\" font-weight=\"bold\">{} (forbidden from {} on), {}</text>",
        top + 28,
        anomaly.class,
        anomaly.level,
        escape(&anomaly.name)
    );
    for (at, edge) in anomaly.cycle.iter().enumerate() {
        let next = ((at + 1) % anomaly.cycle.len()) as f64;
        // Bent outwards, so that the two edges of a cycle of two do not cover each other.
        let middle = place(at as f64 + 0.5, RADIUS * 1.25);
        arrow(svg, place(at as f64, RADIUS), middle, place(next, RADIUS), &label(report, edge));
    }
    for (at, edge) in anomaly.cycle.iter().enumerate() {
        let (x, y) = place(at as f64, RADIUS);
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"18\" fill=\"white\" stroke=\"black\"/>\
             <text x=\"{x:.0}\" y=\"{:.0}\" text-anchor=\"middle\">T{}</text>",
            y + 4.0,
            edge.from
        );
        let line = top + 60 + at * 20;
        let _ = writeln!(svg, "<text x=\"400\" y=\"{line}\">{}</text>", escape(&edge.sentence));
    }
}

type Point = (f64, f64);

fn arrow(svg: &mut String, from: Point, middle: Point, to: Point, label: &str) {
    let length = (to.0 - middle.0).hypot(to.1 - middle.1).max(1.0);
    let end = (to.0 - (to.0 - middle.0) * 18.0 / length, to.1 - (to.1 - middle.1) * 18.0 / length);
    let _ = writeln!(
        svg,
        "<path d=\"M{:.0} {:.0}Q{:.0} {:.0} {:.0} {:.0}\" fill=\"none\" stroke=\"black\" \
         marker-end=\"url(#head)\"/><text x=\"{:.0}\" y=\"{:.0}\">{}</text>",
        from.0,
        from.1,
        middle.0,
        middle.1,
        end.0,
        end.1,
        middle.0,
        middle.1,
        escape(label)
    );
}
