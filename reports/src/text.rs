//! Reports for terminals: without colours, of a fixed width, with control characters made visible.

use std::fmt::Write as _;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use crate::escape::plain;
use crate::involved::involved;
use crate::{Anomaly, Campaign, CheckResult, FailureTotal, Report, Trend, Violation, words};

/// How much is shown of a run: more would not be read in a terminal.
const VIOLATIONS_MAX: usize = 20;
const EXPLANATION_MAX: usize = 60;
const TXNS_MAX: usize = 60;
const ACCESSES_MAX: usize = 60;

/// Failures that are shown of a campaign.
const FAILURES_MAX: usize = 100;

/// Columns of a terminal report.
const WIDTH: u16 = 110;

/// Renders one run.
pub(crate) fn run(report: &Report) -> String {
    let mut out = String::new();
    let sign = report.verdict.sign();
    line(&mut out, &format!("{sign} {}: {}", report.title, report.verdict.word()));
    if !report.summary.is_empty() {
        line(&mut out, &format!("  {}", report.summary));
    }
    for violation in report.violations.iter().take(VIOLATIONS_MAX) {
        write_violation(&mut out, violation);
    }
    more(&mut out, report.violations.len(), VIOLATIONS_MAX, "violations");
    for anomaly in report.anomalies.iter().take(VIOLATIONS_MAX) {
        write_anomaly(&mut out, anomaly);
    }
    more(&mut out, report.anomalies.len(), VIOLATIONS_MAX, "anomalies");
    let (mut txns, mut missing) = involved(report);
    missing += txns.len().saturating_sub(TXNS_MAX);
    txns.truncate(TXNS_MAX);
    if !txns.is_empty() {
        let mut rows = table(["transaction", "client", "life", "versions", "operations", "end"]);
        for txn in txns {
            let lane = report.lanes.get(txn.lane as usize).map_or("?", |lane| lane.name.as_str());
            let mut operations: Vec<_> = txn.accesses.iter().take(ACCESSES_MAX).map(words::access).collect();
            let left = txn.accesses.len().saturating_sub(ACCESSES_MAX);
            operations.extend((left > 0).then(|| format!("… and {left} more")));
            let cells = [
                format!("T{}", txn.id),
                lane.to_owned(),
                txn.life.to_string(),
                words::versions(txn),
                operations.join(", "),
                words::ending(txn),
            ];
            rows.add_row(cells.iter().map(|cell| plain(cell).into_owned()));
        }
        let _ = writeln!(out, "\n{rows}");
    }
    if missing > 0 {
        let _ = writeln!(out, "{missing} more transactions are involved and not in this report");
    }
    if !report.checks.is_empty() {
        let mut rows = table(["contract", "invariant", "evaluated", "result"]);
        right(&mut rows, &[2]);
        for check in &report.checks {
            let result = match check.result {
                CheckResult::Held if check.evaluated == 0 => "held, never evaluated",
                result => result.word(),
            };
            let cells =
                [check.contract.clone(), check.name.clone(), check.evaluated.to_string(), result.to_owned()];
            rows.add_row(cells.iter().map(|cell| plain(cell).into_owned()));
        }
        let _ = writeln!(out, "\n{rows}");
    }
    pairs(&mut out, "counts", report.counts.iter().map(|(name, n)| (name.as_str(), n.to_string())));
    pairs(&mut out, "reached", report.marks.iter().map(|(name, n)| (name.as_str(), n.to_string())));
    for (name, value) in [
        ("subject", Some(&report.subject).filter(|s| !s.is_empty())),
        ("digest", report.digest.as_ref()),
        ("trace", report.trace_file.as_ref()),
        ("reproduce", Some(&report.reproduce).filter(|s| !s.is_empty())),
    ] {
        if let Some(value) = value {
            line(&mut out, &format!("{name}: {value}"));
        }
    }
    omitted(&mut out, &report.omitted);
    out
}

/// Renders a campaign.
pub(crate) fn campaign(campaign: &Campaign) -> String {
    let mut out = String::new();
    let verdict = campaign.verdict();
    line(&mut out, &format!("{} {}: {}", verdict.sign(), campaign.title, verdict.word()));
    for doubt in &campaign.doubts {
        line(&mut out, &format!("  proves nothing: {doubt}"));
    }
    line(
        &mut out,
        &format!(
            "  {} seeds in {:.1} s ({:.0} seeds/s, {} workers), {} distinct interleavings, {} seeds violated something, \
             {} runs without a verdict",
            campaign.seeds,
            campaign.seconds,
            campaign.seeds_per_second(),
            campaign.jobs,
            campaign.interleavings,
            campaign.failing_seeds,
            campaign.failed_runs,
        ),
    );
    pairs(&mut out, "counts", campaign.counts.iter().map(|(name, n)| (name.as_str(), n.to_string())));
    section(
        &mut out,
        ["contract", "invariant", "evaluated", "seeds", "violated"],
        &[2, 3, 4],
        &campaign.invariants,
        |i| {
            [
                i.contract.clone(),
                i.name.clone(),
                i.evaluated.to_string(),
                i.seeds.to_string(),
                i.violated.to_string(),
            ]
        },
    );
    section(
        &mut out,
        ["workload", "seeds", "commits", "aborts", "violated"],
        &[1, 2, 3, 4],
        &campaign.workloads,
        |w| {
            [
                w.name.clone(),
                w.seeds.to_string(),
                w.commits.to_string(),
                w.aborts.to_string(),
                w.violated.to_string(),
            ]
        },
    );
    section(
        &mut out,
        ["strategy", "seeds", "interleavings", "violated"],
        &[1, 2, 3],
        &campaign.strategies,
        |s| [s.name.clone(), s.seeds.to_string(), s.interleavings.to_string(), s.violated.to_string()],
    );
    section(&mut out, ["fault", "fired", "seeds"], &[1, 2], &campaign.faults, |f| {
        [f.name.clone(), f.fired.to_string(), f.seeds.to_string()]
    });
    section(&mut out, ["function", "calls", "failed"], &[1], &campaign.calls, |call| {
        [call.name.clone(), call.calls().to_string(), call.failures()]
    });
    section(&mut out, ["mark", "hits", "seeds"], &[1, 2], &campaign.marks, |m| {
        [
            m.name.clone(),
            if m.hits == 0 { "never".to_owned() } else { m.hits.to_string() },
            m.seeds.to_string(),
        ]
    });
    pairs(&mut out, "conflicts", campaign.conflicts.iter().map(|c| (c.kind.word(), c.count.to_string())));
    section(
        &mut out,
        ["bug", "found", "median seeds", "median s", "caught by"],
        &[1, 2, 3],
        &campaign.zoo,
        |m| {
            [
                m.name.clone(),
                format!("{}/{}", m.found_after.len(), m.trials),
                m.median_seeds().map_or_else(|| "–".to_owned(), |n| n.to_string()),
                m.median_seconds().map_or_else(|| "–".to_owned(), |s| format!("{s:.2}")),
                m.caught_by.join(", "),
            ]
        },
    );
    groups(&mut out, &campaign.groups);
    for failure in campaign.failures.iter().take(FAILURES_MAX) {
        line(
            &mut out,
            &format!(
                "✗ seed {} ({}): {} {}: {}",
                failure.seed, failure.workload, failure.contract, failure.invariant, failure.message
            ),
        );
        line(&mut out, &format!("  reproduce: {}", failure.reproduce));
        if let Some(trace) = &failure.trace_file {
            line(&mut out, &format!("  trace: {trace}"));
        }
    }
    more(&mut out, campaign.failures.len(), FAILURES_MAX, "failures");
    omitted(&mut out, &campaign.omitted);
    out
}

/// Renders campaigns over time.
pub(crate) fn trend(trend: &Trend) -> String {
    let mut out = String::new();
    let verdict = trend.verdict();
    line(&mut out, &format!("{} {}: the newest {}", verdict.sign(), trend.title, verdict.word()));
    section(
        &mut out,
        ["begun", "build", "what", "verdict", "seeds", "failing", "seeds/s", "interleavings", "unseen marks"],
        &[4, 5, 6, 7, 8],
        &trend.campaigns,
        |campaign| {
            [
                words::date(campaign.unix_seconds),
                campaign.build.clone(),
                campaign.what.clone(),
                campaign.verdict.word().to_owned(),
                campaign.seeds.to_string(),
                campaign.failing_seeds.to_string(),
                format!("{:.0}", campaign.seeds_per_second),
                campaign.interleavings.to_string(),
                campaign.marks_never_reached.len().to_string(),
            ]
        },
    );
    for campaign in &trend.campaigns {
        for doubt in &campaign.doubts {
            line(&mut out, &format!("{} proves nothing: {doubt}", words::date(campaign.unix_seconds)));
        }
    }
    groups(&mut out, &trend.groups);
    if !trend.marks_never_reached.is_empty() {
        line(&mut out, &format!("never reached: {}", trend.marks_never_reached.join(", ")));
    }
    out
}

/// Writes failures by kind.
fn groups(out: &mut String, groups: &[FailureTotal]) {
    for group in groups {
        line(
            out,
            &format!(
                "✗ {} {} ({}): {} of {} seeds, {}; gone with 99 % after {} seeds that hold",
                group.contract,
                group.invariant,
                group.class,
                group.count,
                group.of,
                words::rate(group),
                words::until_gone(group)
            ),
        );
        if !group.first_build.is_empty() {
            let (first, last) = (words::date(group.first_seen), words::date(group.last_seen));
            line(out, &format!("  first seen: {first} in {}; last seen: {last}", group.first_build));
        }
        if !group.shape.is_empty() {
            line(out, &format!("  needs: {}", group.shape));
        }
        line(out, &format!("  reproduce: {}", group.reproduce));
        if let Some(trace) = &group.trace_file {
            let size = group.operations.map(|count| format!(" ({count} operations)")).unwrap_or_default();
            line(out, &format!("  smallest trace: {trace}{size}"));
        }
    }
}

fn write_violation(out: &mut String, violation: &Violation) {
    line(out, &format!("  {} {}: {}", violation.contract, violation.invariant, violation.message));
    for (i, step) in violation.explanation.iter().take(EXPLANATION_MAX).enumerate() {
        line(out, &format!("    {}. {step}", i + 1));
    }
    more(out, violation.explanation.len(), EXPLANATION_MAX, "steps of this explanation");
}

fn write_anomaly(out: &mut String, anomaly: &Anomaly) {
    line(out, &format!("  {}: {}", anomaly.class, anomaly.message));
    for edge in &anomaly.edges {
        let key = if edge.key.is_empty() { String::new() } else { format!(" {}", edge.key) };
        line(
            out,
            &format!("    T{} —{}{key}→ T{}: {}", edge.from, edge.kind.word(), edge.to, edge.explanation),
        );
    }
}

/// Says how much of a list is not shown.
fn more(out: &mut String, count: usize, shown: usize, what: &str) {
    if count > shown {
        line(out, &format!("  … and {} more {what}", count - shown));
    }
}

/// Writes one line: whatever `text` has of line ends is shown instead.
fn line(out: &mut String, text: &str) {
    out.push_str(&plain(text));
    out.push('\n');
}

fn pairs<'a>(out: &mut String, name: &str, pairs: impl Iterator<Item = (&'a str, String)>) {
    let shown: Vec<_> = pairs.map(|(name, value)| format!("{name} {value}")).collect();
    if !shown.is_empty() {
        line(out, &format!("{name}: {}", shown.join(", ")));
    }
}

fn omitted(out: &mut String, notes: &[String]) {
    for note in notes {
        line(out, &format!("left out: {note}"));
    }
}

fn section<T, const N: usize>(
    out: &mut String,
    header: [&str; N],
    figures: &[usize],
    items: &[T],
    cells: impl Fn(&T) -> [String; N],
) {
    if items.is_empty() {
        return;
    }
    let mut rows = table(header);
    right(&mut rows, figures);
    for item in items {
        rows.add_row(cells(item).iter().map(|cell| plain(cell).into_owned()));
    }
    let _ = writeln!(out, "\n{rows}");
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .force_no_tty()
        .load_preset(UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(header);
    table
}

fn right(table: &mut Table, figures: &[usize]) {
    for &column in figures {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}
