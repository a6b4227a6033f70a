//! The cycles, for Graphviz.

use std::fmt::Write;

use super::CheckReport;
use super::svg::label;

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

pub(super) fn dot(report: &CheckReport) -> String {
    let mut dot = "digraph anomalies {\n  node [shape=box];\n".to_owned();
    for (number, anomaly) in report.cycles().enumerate() {
        let title = quoted(&format!("{}, {}", anomaly.class, anomaly.name));
        let _ = writeln!(dot, "  subgraph cluster_{number} {{\n    label=\"{title}\";");
        for edge in &anomaly.cycle {
            let (from, to, label) = (edge.from, edge.to, quoted(&label(report, edge)));
            let about =
                report.evidence.get(&from).map_or(String::new(), |one| format!("\\n{}", quoted(&one.ops)));
            let _ = writeln!(dot, "    c{number}_{from} [label=\"T{from}{about}\"];");
            let _ = writeln!(dot, "    c{number}_{from} -> c{number}_{to} [label=\"{label}\"];");
        }
        dot.push_str("  }\n");
    }
    dot.push_str("}\n");
    dot
}
