//! The answer to `stormproof check FILE`: text, JSON, DOT, SVG, exit code.

use std::f64::consts::TAU;
use std::fmt::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::blackbox::{self, Anomaly, CycleEdge, Standing, Table, Terms};
use crate::formats::{Format, FormatError, Input, read_file};
use crate::level::Level;
use crate::view::View;

/// How a file stands to a level, or to all levels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// The level that was asked for; none if all were.
    pub level: Option<Level>,
    /// How many transactions there are.
    pub txns: u64,
    /// How many operations they did.
    pub ops: u64,
    /// Whether the file says when transactions ran.
    pub timed: bool,
    /// Levels and anomalies.
    pub table: Table,
}

/// Checks a file.
///
/// # Errors
/// When it can't be read, or is not in that format: with line and column.
pub fn check_file(
    path: &Path,
    format: Option<Format>,
    level: Option<Level>,
    search_steps_max: u64,
) -> Result<CheckReport, FormatError> {
    Ok(check_input(&read_file(path, format)?, level, search_steps_max))
}

/// Checks what was read.
pub fn check_input(input: &Input, level: Option<Level>, search_steps_max: u64) -> CheckReport {
    let history = &input.history;
    let mut table = blackbox::judge(
        &View::new(history),
        level,
        &Terms { steps_max: search_steps_max, ..Terms::default() },
    );
    if !input.timed {
        for (level, standing) in &mut table.levels {
            let strict = matches!(level, Level::StrictSnapshotIsolation | Level::StrictSerializable);
            if strict && *standing == Standing::Holds {
                *standing = Standing::Unknown("the file does not say when transactions ran".to_owned());
            }
        }
    }
    let ops = history.txns.iter().map(|txn| txn.ops.len() as u64).sum();
    CheckReport { level, txns: history.txns.len() as u64, ops, timed: input.timed, table }
}

impl CheckReport {
    /// How it stands to the level that was asked for, or, if all were, to the strongest that it could.
    pub fn standing(&self) -> Standing {
        if let Some(level) = self.level {
            return self.table.standing(level).cloned().unwrap_or(Standing::Holds);
        }
        let first = |wanted: fn(&Standing) -> bool| {
            self.table.levels.iter().map(|(_, standing)| standing).find(|standing| wanted(standing)).cloned()
        };
        first(|standing| *standing == Standing::Violated)
            .or_else(|| first(|standing| matches!(standing, Standing::Unknown(_))))
            .unwrap_or(Standing::Holds)
    }

    /// 0 if it holds, 1 if it is violated, 4 if that is not known. (2 is for files that can't be read.)
    pub fn exit_code(&self) -> u8 {
        match self.standing() {
            Standing::Holds => 0,
            Standing::Violated => 1,
            Standing::Unknown(_) => 4,
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!("{} transactions, {} operations\n", self.txns, self.ops);
        for (level, standing) in &self.table.levels {
            let word = match standing {
                Standing::Holds => "holds".to_owned(),
                Standing::Violated => "VIOLATED".to_owned(),
                Standing::Unknown(why) => format!("unknown: {why}"),
            };
            let _ = writeln!(text, "  {:<34} {word}", level.name());
        }
        if let Some(weakest) = self.table.weakest_violated() {
            let satisfied: Vec<_> =
                self.table.strongest_satisfied().iter().map(|level| level.name()).collect();
            let strongest = if satisfied.is_empty() { "none".to_owned() } else { satisfied.join(", ") };
            let _ = writeln!(text, "weakest level violated: {weakest}; strongest satisfied: {strongest}");
        }
        for anomaly in &self.table.anomalies {
            let _ = writeln!(text, "\n{} (forbidden from {} on)", anomaly.class, anomaly.level);
            if anomaly.cycle.is_empty() {
                let _ = writeln!(text, "  {}", anomaly.message);
            }
            for edge in &anomaly.cycle {
                let why = edge.why.short();
                let _ = writeln!(text, "  T{} -{why}-> T{}: {}", edge.from, edge.to, edge.sentence);
            }
        }
        text
    }

    /// For machines.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
    }

    /// The cycles, for Graphviz.
    pub fn dot(&self) -> String {
        let mut dot = "digraph anomalies {\n  node [shape=box];\n".to_owned();
        for (number, anomaly) in self.cycles().enumerate() {
            let _ = writeln!(dot, "  subgraph cluster_{number} {{\n    label=\"{}\";", anomaly.class);
            for edge in &anomaly.cycle {
                let (from, to, label) =
                    (edge.from, edge.to, label(edge).replace('\\', "\\\\").replace('"', "\\\""));
                let _ = writeln!(dot, "    c{number}_{from} [label=\"T{from}\"];");
                let _ = writeln!(dot, "    c{number}_{from} -> c{number}_{to} [label=\"{label}\"];");
            }
            dot.push_str("  }\n");
        }
        dot.push_str("}\n");
        dot
    }

    /// The cycles, drawn.
    pub fn svg(&self) -> String {
        let cycles: Vec<&Anomaly> = self.cycles().collect();
        let height = (cycles.len().max(1)) * SIDE;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
             font-size=\"12\">\n<defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" \
             markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n"
        );
        if cycles.is_empty() {
            svg.push_str("<text x=\"20\" y=\"30\">no cycle</text>\n");
        }
        for (number, anomaly) in cycles.into_iter().enumerate() {
            draw(&mut svg, anomaly, number * SIDE);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn cycles(&self) -> impl Iterator<Item = &Anomaly> {
        self.table.anomalies.iter().filter(|anomaly| !anomaly.cycle.is_empty())
    }
}

/// Height of one drawing.
const SIDE: usize = 360;
/// Width of a drawing and its sentences.
const WIDTH: usize = 1100;
const RADIUS: f64 = 110.0;

fn label(edge: &CycleEdge) -> String {
    match &edge.key {
        Some(key) => format!("{} {}", edge.why.short(), crate::view::show(key)),
        None => edge.why.short().to_owned(),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The transactions of a cycle on a circle, and its sentences beside it.
fn draw(svg: &mut String, anomaly: &Anomaly, top: usize) {
    let (center_x, center_y) = (180.0, top as f64 + 190.0);
    let count = anomaly.cycle.len() as f64;
    let place = |at: usize, radius: f64| {
        let angle = TAU * at as f64 / count - TAU / 4.0;
        (center_x + radius * angle.cos(), center_y + radius * angle.sin())
    };
    let _ = writeln!(
        svg,
        "<text x=\"20\" y=\"{}\" font-weight=\"bold\">{} (forbidden from {} on)</text>",
        top + 28,
        anomaly.class,
        anomaly.level
    );
    for (at, edge) in anomaly.cycle.iter().enumerate() {
        let ((x, y), (to_x, to_y)) = (place(at, RADIUS), place((at + 1) % anomaly.cycle.len(), RADIUS));
        // Bent outwards, so that the two edges of a cycle of two do not cover each other.
        let angle = TAU * (at as f64 + 0.5) / count - TAU / 4.0;
        let (mid_x, mid_y) = (center_x + RADIUS * 1.25 * angle.cos(), center_y + RADIUS * 1.25 * angle.sin());
        let shorten =
            |from: f64, to: f64| to - (to - from) * 18.0 / ((to_x - mid_x).hypot(to_y - mid_y)).max(1.0);
        let (end_x, end_y) = (shorten(mid_x, to_x), shorten(mid_y, to_y));
        let _ = writeln!(
            svg,
            "<path d=\"M{x:.0} {y:.0}Q{mid_x:.0} {mid_y:.0} {end_x:.0} {end_y:.0}\" fill=\"none\" stroke=\"black\" \
             marker-end=\"url(#head)\"/><text x=\"{mid_x:.0}\" y=\"{mid_y:.0}\">{}</text>",
            escape(&label(edge))
        );
    }
    for (at, edge) in anomaly.cycle.iter().enumerate() {
        let (x, y) = place(at, RADIUS);
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"18\" fill=\"white\" stroke=\"black\"/><text x=\"{x:.0}\" \
             y=\"{:.0}\" text-anchor=\"middle\">T{}</text>",
            y + 4.0,
            edge.from
        );
        let line = top + 60 + at * 20;
        let _ = writeln!(svg, "<text x=\"400\" y=\"{line}\">{}</text>", escape(&edge.sentence));
    }
}
