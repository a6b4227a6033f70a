//! Reports for continuous integration: JUnit XML, one test case per invariant.
//!
//! The dialect is the one that Jenkins, GitLab and GitHub actions read: `testsuites/testsuite/testcase` with
//! `failure`, `error` and `skipped`. An invariant that was never evaluated counts as skipped, not as passed.

use askama::Template;

use crate::{Campaign, CheckResult, Report, Verdict, Violation};

/// Renders one run.
pub(crate) fn run(report: &Report) -> askama::Result<String> {
    let mut cases: Vec<Case> = report
        .checks
        .iter()
        .map(|check| {
            let told: Vec<_> = report.violations.iter().filter(|v| v.invariant == check.name).collect();
            let result = match check.result {
                CheckResult::Violated => Outcome::failed(&told, &report.reproduce),
                CheckResult::Held if check.evaluated > 0 => Outcome::Passed,
                CheckResult::Held => Outcome::Skipped { why: "never evaluated".to_owned() },
                CheckResult::Skipped => Outcome::Skipped { why: "not decided, or does not apply".to_owned() },
            };
            Case { class: class(&check.contract), name: check.name.clone(), result }
        })
        .collect();
    for violation in &report.violations {
        if !report.checks.iter().any(|c| c.name == violation.invariant && c.result == CheckResult::Violated) {
            cases.push(Case {
                class: class(&violation.contract),
                name: violation.invariant.clone(),
                result: Outcome::failed(&[violation], &report.reproduce),
            });
        }
    }
    if report.verdict == Verdict::Failed {
        cases.push(Case {
            class: "run".to_owned(),
            name: "has a verdict".to_owned(),
            result: Outcome::Error { message: report.summary.clone() },
        });
    }
    let mut properties = vec![("reproduce".to_owned(), report.reproduce.clone())];
    properties.extend(report.digest.iter().map(|digest| ("digest".to_owned(), digest.clone())));
    Suite::new(&report.title, 0.0, properties, cases).render()
}

/// Renders a campaign.
pub(crate) fn campaign(campaign: &Campaign) -> askama::Result<String> {
    let told = |name: &str| {
        let mut lines = Vec::new();
        for failure in campaign.failures.iter().filter(|failure| failure.invariant == name) {
            lines.push(format!("seed {} ({}): {}", failure.seed, failure.workload, failure.message));
            lines.push(format!("reproduce: {}", failure.reproduce));
        }
        lines
    };
    let mut cases: Vec<Case> = campaign
        .invariants
        .iter()
        .map(|invariant| {
            let lines = told(&invariant.name);
            let result = if invariant.violated > 0 || !lines.is_empty() {
                Outcome::Failed { message: format!("violated in {} seeds", invariant.violated), lines }
            } else if invariant.evaluated > 0 {
                Outcome::Passed
            } else {
                Outcome::Skipped { why: "never evaluated".to_owned() }
            };
            Case { class: class(&invariant.contract), name: invariant.name.clone(), result }
        })
        .collect();
    for failure in &campaign.failures {
        if !cases.iter().any(|case| case.name == failure.invariant) {
            let lines = told(&failure.invariant);
            let result = Outcome::Failed { message: failure.message.clone(), lines };
            cases.push(Case { class: class(&failure.contract), name: failure.invariant.clone(), result });
        }
    }
    if campaign.failed_runs > 0 {
        let message = format!("{} runs ended without a verdict", campaign.failed_runs);
        cases.push(Case {
            class: "run".to_owned(),
            name: "has a verdict".to_owned(),
            result: Outcome::Error { message },
        });
    }
    if !campaign.doubts.is_empty() {
        let message = campaign.doubts.join("; ");
        cases.push(Case {
            class: "run".to_owned(),
            name: "proves something".to_owned(),
            result: Outcome::Error { message },
        });
    }
    let properties = vec![
        ("command".to_owned(), campaign.command.clone()),
        ("seeds".to_owned(), campaign.seeds.to_string()),
        ("interleavings".to_owned(), campaign.interleavings.to_string()),
    ];
    Suite::new(&campaign.title, campaign.seconds, properties, cases).render()
}

fn class(contract: &str) -> String {
    if contract.is_empty() { "contract".to_owned() } else { contract.to_owned() }
}

#[derive(Template)]
#[template(path = "junit.xml")]
struct Suite<'a> {
    title: &'a str,
    seconds: String,
    failures: usize,
    errors: usize,
    skipped: usize,
    properties: Vec<(String, String)>,
    cases: Vec<Case>,
}

impl<'a> Suite<'a> {
    fn new(title: &'a str, seconds: f64, properties: Vec<(String, String)>, cases: Vec<Case>) -> Self {
        let count = |is: fn(&Outcome) -> bool| cases.iter().filter(|case| is(&case.result)).count();
        Self {
            title,
            seconds: format!("{seconds:.3}"),
            failures: count(|result| matches!(result, Outcome::Failed { .. })),
            errors: count(|result| matches!(result, Outcome::Error { .. })),
            skipped: count(|result| matches!(result, Outcome::Skipped { .. })),
            properties,
            cases,
        }
    }
}

struct Case {
    class: String,
    name: String,
    result: Outcome,
}

enum Outcome {
    Passed,
    Skipped { why: String },
    Failed { message: String, lines: Vec<String> },
    Error { message: String },
}

impl Outcome {
    fn failed(violations: &[&Violation], reproduce: &str) -> Self {
        let message = violations.first().map_or_else(|| "violated".to_owned(), |first| first.message.clone());
        let mut lines: Vec<String> = Vec::new();
        for violation in violations {
            lines.push(violation.message.clone());
            lines.extend(violation.explanation.iter().cloned());
        }
        lines.push(format!("reproduce: {reproduce}"));
        Self::Failed { message, lines }
    }
}
