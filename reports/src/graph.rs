//! Anomalies as graphs: a picture (SVG) and Graphviz's language (DOT).
//!
//! The layout puts the transactions on a circle in the order in which the edges name them, so that a cycle
//! looks like one; parallel edges bow apart.

use std::collections::BTreeMap;
use std::f64::consts::{FRAC_PI_2, TAU};
use std::fmt::Write as _;

use askama::Template;

use crate::escape::plain;
use crate::{Anomaly, Edge, EdgeKind, Report, TxnId};

/// An anomaly as a picture and how large it is.
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) svg: String,
}

/// Renders all anomalies of a run in one SVG file.
pub(crate) fn svg(report: &Report) -> askama::Result<String> {
    let mut graphs = Vec::new();
    let (mut width, mut height) = (1, 1);
    for (index, anomaly) in report.anomalies.iter().enumerate() {
        let picture = picture(anomaly, index)?;
        graphs.push((height, picture.width, picture.height, picture.svg));
        width = width.max(picture.width);
        height += picture.height;
    }
    Anomalies { width, height, graphs }.render()
}

/// Renders one anomaly; `index` distinguishes the pictures of one page.
pub(crate) fn picture(anomaly: &Anomaly, index: usize) -> askama::Result<Picture> {
    let order = nodes(anomaly);
    let radius = (order.len() as f64 * 150.0 / TAU).max(120.0);
    let width = 2.0 * radius + 200.0;
    let height = if order.len() == 2 { 200.0 } else { 2.0 * radius + 120.0 };
    let (middle_x, middle_y) = (width / 2.0, height / 2.0);
    let mut at = BTreeMap::new();
    let mut drawn = Vec::new();
    for (i, &txn) in order.iter().enumerate() {
        // Two transactions stand side by side, more begin at the top.
        let first = if order.len() == 2 { TAU / 2.0 } else { -FRAC_PI_2 };
        let angle = first + TAU * i as f64 / order.len() as f64;
        let (x, y) = (middle_x + radius * angle.cos(), middle_y + radius * angle.sin());
        at.insert(txn, (x, y));
        drawn.push(Node { txn, x: x.round(), y: y.round() });
    }
    let mut parallel: BTreeMap<(TxnId, TxnId), u32> = BTreeMap::new();
    let arcs = anomaly
        .edges
        .iter()
        .map(|edge| {
            let nth = parallel.entry((edge.from, edge.to)).or_default();
            *nth += 1;
            arc(edge, at[&edge.from], at[&edge.to], *nth)
        })
        .collect();
    let graph = Graph {
        width: width.round(),
        height: height.round(),
        label: format!("{}: {}", anomaly.class, anomaly.message),
        marker: format!("head-{index}"),
        arcs,
        nodes: drawn,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few hundred pixels per node"
    )]
    let (width, height) = (width.round() as u32, height.round() as u32);
    Ok(Picture { width, height, svg: graph.render()? })
}

/// Renders all anomalies of a run in Graphviz's language, one cluster each.
pub(crate) fn dot(report: &Report) -> String {
    let mut out = String::from("digraph anomalies {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n");
    for (index, anomaly) in report.anomalies.iter().enumerate() {
        let _ = writeln!(out, "  subgraph cluster_{index} {{");
        let _ = writeln!(out, "    label={};", quoted(&format!("{}: {}", anomaly.class, anomaly.message)));
        for txn in nodes(anomaly) {
            let end =
                report.txns.iter().find(|known| known.id == txn).map_or("", |known| known.outcome.word());
            let _ = writeln!(out, "    a{index}_t{txn} [label={}];", quoted(&format!("T{txn}\n{end}")));
        }
        for edge in &anomaly.edges {
            let _ = writeln!(
                out,
                "    a{index}_t{} -> a{index}_t{} [label={}, tooltip={}];",
                edge.from,
                edge.to,
                quoted(&label(edge)),
                quoted(&edge.explanation),
            );
        }
        out.push_str("  }\n");
    }
    out.push_str("}\n");
    out
}

/// Returns the transactions in the order in which the edges name them.
fn nodes(anomaly: &Anomaly) -> Vec<TxnId> {
    let mut order = Vec::new();
    for txn in anomaly.edges.iter().flat_map(|edge| [edge.from, edge.to]) {
        if !order.contains(&txn) {
            order.push(txn);
        }
    }
    order
}

fn label(edge: &Edge) -> String {
    let mut label = edge.kind.word().to_owned();
    if !edge.key.is_empty() {
        let short: String = edge.key.chars().take(24).collect();
        let rest = if short.len() < edge.key.len() { "…" } else { "" };
        label = format!("{label} {short}{rest}");
    }
    label
}

/// Bows to the left of its direction, so that there and back are two curves; the nth parallel one bows
/// further.
fn arc(edge: &Edge, from: (f64, f64), to: (f64, f64), nth: u32) -> Arc {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy);
    let (path, x, y);
    if length < 1.0 {
        let (left, right, top) = (from.0 - 18.0, from.0 + 18.0, from.1 - 20.0);
        path = format!(
            "M{left:.0} {top:.0}C{:.0} {:.0} {:.0} {:.0} {right:.0} {top:.0}",
            left - 20.0,
            top - 60.0,
            right + 20.0,
            top - 60.0
        );
        (x, y) = (from.0, top - 52.0);
    } else {
        let bow = 26.0 + 34.0 * f64::from(nth - 1);
        let (mid_x, mid_y) = (
            f64::midpoint(from.0, to.0) + dy / length * bow * 2.0,
            f64::midpoint(from.1, to.1) - dx / length * bow * 2.0,
        );
        let (start, end) = (edge_of_box(from, (mid_x, mid_y)), edge_of_box(to, (mid_x, mid_y)));
        path = format!("M{:.1} {:.1}Q{mid_x:.1} {mid_y:.1} {:.1} {:.1}", start.0, start.1, end.0, end.1);
        (x, y) =
            (0.25 * start.0 + 0.5 * mid_x + 0.25 * end.0, 0.25 * start.1 + 0.5 * mid_y + 0.25 * end.1 + 4.0);
    }
    let (class, dashed) = match edge.kind {
        EdgeKind::WriteWrite => ("ww", false),
        EdgeKind::WriteRead => ("wr", false),
        EdgeKind::ReadWrite => ("rw", false),
        EdgeKind::RealTime => ("rt", true),
        EdgeKind::Session => ("session", true),
    };
    Arc {
        class,
        dashed,
        path,
        x: x.round(),
        y: y.round(),
        label: label(edge),
        explanation: edge.explanation.clone(),
    }
}

/// Returns where the line from the middle of a node's box towards `target` leaves the box.
fn edge_of_box(middle: (f64, f64), target: (f64, f64)) -> (f64, f64) {
    let (dx, dy) = (target.0 - middle.0, target.1 - middle.1);
    let scale = (38.0 / dx.abs()).min(21.0 / dy.abs()).min(1.0);
    (middle.0 + dx * scale, middle.1 + dy * scale)
}

/// Returns a DOT string: quotes and backslashes escaped, line ends as `\n`, the rest of what is invisible
/// shown.
fn quoted(text: &str) -> String {
    let lines: Vec<String> =
        text.split('\n').map(|line| plain(line).replace('\\', "\\\\").replace('"', "\\\"")).collect();
    format!("\"{}\"", lines.join("\\n"))
}

#[derive(Template)]
#[template(path = "anomaly.svg")]
struct Graph {
    width: f64,
    height: f64,
    label: String,
    marker: String,
    arcs: Vec<Arc>,
    nodes: Vec<Node>,
}

#[derive(Template)]
#[template(path = "anomalies.svg")]
struct Anomalies {
    width: u32,
    height: u32,
    graphs: Vec<(u32, u32, u32, String)>,
}

struct Node {
    txn: TxnId,
    x: f64,
    y: f64,
}

struct Arc {
    class: &'static str,
    dashed: bool,
    path: String,
    x: f64,
    y: f64,
    label: String,
    explanation: String,
}
