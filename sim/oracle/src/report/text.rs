//! The report as text.

use std::fmt::Write;

use super::CheckReport;
use crate::blackbox::{Anomaly, Standing};
use crate::level::Level;

/// Returns the standing of a level in a few words.
pub(super) fn word(standing: &Standing) -> String {
    match standing {
        Standing::Holds => "holds".to_owned(),
        Standing::Violated => "VIOLATED".to_owned(),
        Standing::Unknown(why) => format!("unknown: {why}"),
    }
}

pub(super) fn text(report: &CheckReport) -> String {
    let mut text = format!("{} transactions, {} operations\n", report.txns, report.ops);
    for left_out in &report.left_out {
        let _ = writeln!(text, "left out: {} operations {}", left_out.count, left_out.what);
    }
    for (level, standing) in &report.table.levels {
        let _ = writeln!(text, "  {:<34} {}", level.name(), word(standing));
    }
    text.push_str(&lattice(report));
    if !report.table.counts.is_empty() {
        let counts: Vec<String> =
            report.table.counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let _ = writeln!(text, "anomalies: {}", counts.join(", "));
    }
    text.push_str(&none_found(report));
    for anomaly in &report.table.anomalies {
        describe(&mut text, report, anomaly);
    }
    text
}

/// Returns that there are none of the anomalies that were asked for, where that is so: only they count.
pub(super) fn none_found(report: &CheckReport) -> String {
    let none = report.table.anomalies.is_empty() && report.table.counts.is_empty();
    match report.wanted.as_slice() {
        wanted @ [_, ..] if none => format!("anomalies that count: none found of {}\n", wanted.join(", ")),
        _ => String::new(),
    }
}

/// Returns what is violated, what follows of it, and what is left.
pub(super) fn lattice(report: &CheckReport) -> String {
    let table = &report.table;
    let Some(weakest) = table.weakest_violated() else { return String::new() };
    let names = |levels: &[Level]| match levels {
        [] => "none".to_owned(),
        levels => levels.iter().map(|level| level.name()).collect::<Vec<_>>().join(", "),
    };
    let minimal = table.minimal_violated();
    let follows: Vec<Level> = table
        .levels
        .iter()
        .map(|(level, _)| *level)
        .filter(|level| !minimal.contains(level) && minimal.iter().any(|weaker| level.implies(*weaker)))
        .collect();
    let mut text = format!(
        "weakest level violated: {weakest}; strongest satisfied: {}\nnot {}",
        names(&table.strongest_satisfied()),
        names(&minimal)
    );
    if !follows.is_empty() {
        let _ = write!(text, "; therefore not {}", names(&follows));
    }
    let undecided = table.undecided();
    if !undecided.is_empty() {
        let _ = write!(text, "; may be {}", names(&undecided));
    }
    text.push('\n');
    text
}

fn describe(text: &mut String, report: &CheckReport, anomaly: &Anomaly) {
    let Anomaly { class, level, name, .. } = anomaly;
    let name = if *name == class.to_string() { String::new() } else { format!(", {name}") };
    let _ = writeln!(text, "\n{class} (forbidden from {level} on){name}");
    if anomaly.cycle.is_empty() || anomaly.message.contains("likeliest") {
        let _ = writeln!(text, "  {}", anomaly.message);
    }
    for edge in &anomaly.cycle {
        let _ = writeln!(text, "  T{} -{}-> T{}: {}", edge.from, edge.why.short(), edge.to, edge.sentence);
    }
    let mut txns = anomaly.txns.clone();
    txns.sort_unstable();
    txns.dedup();
    for txn in txns {
        if let Some(evidence) = report.evidence.get(&txn) {
            let _ = writeln!(text, "    T{txn}: {}", evidence.sentence());
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{CheckOptions, HistoryBuilder, check_input};

    #[test]
    fn that_none_of_the_anomalies_asked_for_was_found_is_said() {
        let mut history = HistoryBuilder::new();
        let (alice, bob) = (history.begin("alice"), history.begin("bob"));
        history.read(alice, "x", None::<u32>).write(alice, "y", 1).commit(alice);
        history.read(bob, "y", None::<u32>).write(bob, "x", 1).commit(bob);
        let input = history.build();
        let report = |name: &str| {
            let options = CheckOptions { anomalies: vec![name.to_owned()], ..CheckOptions::default() };
            check_input(&input, &options)
        };
        let said = "anomalies that count: none found of G1a\n";
        assert!(report("G1a").text().contains(said), "{}", report("G1a").text());
        assert!(report("G1a").html("skew").contains(said.trim()));
        assert!(!report("G2-item").text().contains("none found"), "{}", report("G2-item").text());
    }

    #[test]
    fn an_anomaly_that_has_one_name_is_named_once() {
        let mut history = HistoryBuilder::new();
        let alice = history.begin("alice");
        history.read(alice, "x", Some(1)).write(alice, "x", 1).commit(alice);
        let text = check_input(&history.build(), &CheckOptions::default()).text();
        assert!(text.contains("\nfuture-read (forbidden from read-uncommitted on)\n"), "{text}");
    }
}
