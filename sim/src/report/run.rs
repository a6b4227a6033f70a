//! One run, as a report.

use std::path::Path;

use stormproof_reports::{Check, CheckResult, Report, Verdict, Violation};

use super::anomaly::anomalies;
use stormproof_workloads::About;

use super::limit::limit;
use super::timeline::Timeline;
use super::writers::Writers;
use crate::finding::Finding;
use crate::plan::{CrashAt, DurabilityPlan, LifePlan, Plan, Storage};
use crate::run::{Run, Watched, marks};
use crate::{invariants, summary};

/// Where a run comes from: how to repeat it.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The command that repeats it.
    pub reproduce: &'a str,
    /// The file that holds it, if there is one.
    pub trace_file: Option<&'a Path>,
}

/// Returns the report of a run. What `watched` saw gives it the interleaving and the frontier; without, it
/// has neither.
pub fn report(plan: &Plan, run: &Run, watched: &Watched, origin: Origin<'_>) -> Report {
    let writers = Writers::new(&run.history);
    let timeline = Timeline::new(run, watched);
    let lives = timeline.lives();
    let txns = timeline.txns(&writers);
    let ended = |txn: u32| txns.get(txn as usize).map(|txn| txn.ended);
    let mut violations: Vec<Violation> =
        run.findings().iter().map(|finding| violation(finding, ended)).collect();
    if let (Some(first), Some(_)) = (violations.first_mut(), &run.clients) {
        first.explanation.extend(what_mattered(plan));
    }
    let workload = &plan.workload.workload;
    let mut report = Report {
        title: format!("{workload}, seed {}", plan.seed),
        verdict: if run.findings().is_empty() { Verdict::Held } else { Verdict::Violated },
        summary: sentence(run),
        reproduce: origin.reproduce.to_owned(),
        seed: Some(plan.seed.0),
        workload: workload.clone(),
        // An application says what it does by its test's name, and nothing else.
        about: if run.clients.is_some() { String::new() } else { about_words(run.about) },
        subject: subject(plan),
        trace_file: origin.trace_file.map(|path| path.display().to_string()),
        digest: Some(run.digest.to_string()),
        plan: plan_words(plan),
        counts: summary::stats(plan, run).counts,
        checks: checks(run),
        violations,
        lanes: timeline.lanes(),
        frontier: timeline.frontier(&lives),
        lives,
        txns,
        faults: timeline.faults(),
        steps: timeline.steps(),
        anomalies: anomalies(run.findings(), &run.history),
        marks: marks(run).into_iter().map(|(name, hits)| (name.to_owned(), hits)).collect(),
        omitted: omitted(run, watched),
    };
    limit(&mut report);
    report
}

/// Returns what a workload does, in a sentence.
fn about_words(about: About) -> String {
    if about.stresses.is_empty() {
        return String::new();
    }
    format!("stresses {}; what must hold: {}", about.stresses, about.invariant)
}

/// Returns the verdict in one sentence.
fn sentence(run: &Run) -> String {
    let crashes = run.lives.iter().filter(|life| life.crashed()).count();
    let went = format!(
        "{} transactions in {} lives, through {crashes} power cuts and {} faults",
        run.history.txns.len(),
        run.lives.len(),
        run.faults.len()
    );
    match run.findings() {
        [] => format!("All {} invariants held: {went}.", run.verdict.evaluated.len()),
        [first, ..] if run.clients.is_some() && invariants::is_of_the_application(first) => {
            let happened = first_line(&first.message).trim_end_matches([':', '.']);
            format!("The store kept its contract: this is the application's. What happened: {happened}.")
        }
        [first, rest @ ..] => {
            let says = invariants::all().into_iter().find(|about| about.name == first.invariant);
            let promise = says.map_or(first.invariant.as_str(), |about| about.says);
            let more = match rest.len() {
                0 => String::new(),
                1 => " There is one more finding.".to_owned(),
                more => format!(" There are {more} more findings."),
            };
            let happened = first_line(&first.message).trim_end_matches([':', '.']);
            format!("Broken promise: “{promise}” ({}). What happened: {happened}.{more}", first.contract)
        }
    }
}

/// Returns the parts of a plan that led to the failure: the switches that were forced, and the power cuts.
fn what_mattered(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    for (number, life) in plan.lives.iter().enumerate() {
        let switches = life.strategy.forced_switches();
        for switch in switches.iter().take(SWITCHES_SHOWN) {
            lines.push(format!("In life {number} a switch was forced: {switch}."));
        }
        if switches.len() > SWITCHES_SHOWN {
            lines.push(format!("In life {number} {} more were.", switches.len() - SWITCHES_SHOWN));
        }
        if let Some(crash) = &life.crash {
            lines.push(format!("Life {number} ended with a {}.", crash_words(crash)));
        }
    }
    lines
}

/// How many forced switches of a life are listed.
const SWITCHES_SHOWN: usize = 8;

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or(text)
}

fn violation(finding: &Finding, ended: impl Fn(u32) -> Option<u64>) -> Violation {
    let mut lines = finding.message.lines();
    // An application's failure breaks no row of the store's contract, and its class is its message once more,
    // without the numbers in it.
    let (invariant, contract) = if finding.invariant == invariants::APPLICATION {
        ("what it promises itself".to_owned(), "application".to_owned())
    } else {
        (format!("{} ({})", finding.invariant, finding.class), finding.contract.clone())
    };
    Violation {
        invariant,
        contract,
        message: lines.next().unwrap_or_default().to_owned(),
        explanation: lines.map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect(),
        at: finding.txns.first().and_then(|&txn| ended(txn)),
        txns: finding.txns.clone(),
        keys: finding.keys.clone(),
    }
}

fn checks(run: &Run) -> Vec<Check> {
    let check = |about: invariants::About| {
        let evaluated = run.verdict.evaluated.get(about.name).copied().unwrap_or(0);
        let violated = run.findings().iter().any(|finding| finding.invariant == about.name);
        Check {
            name: about.name.to_owned(),
            contract: about.contract.to_owned(),
            says: about.says.to_owned(),
            result: match (violated, evaluated) {
                (true, _) => CheckResult::Violated,
                (false, 0) => CheckResult::Skipped,
                (false, _) => CheckResult::Held,
            },
            evaluated,
        }
    };
    invariants::all().into_iter().map(check).collect()
}

fn subject(plan: &Plan) -> String {
    let engine = format!("stormproof {}", env!("CARGO_PKG_VERSION"));
    if plan.mutants.is_empty() { engine } else { format!("{engine} with {}", plan.mutants.join(", ")) }
}

fn plan_words(plan: &Plan) -> Vec<(String, String)> {
    let engine = &plan.engine;
    let durability = match engine.durability {
        DurabilityPlan::Strict => "strict".to_owned(),
        DurabilityPlan::Pipelined => "pipelined".to_owned(),
        DurabilityPlan::Batched { interval_micros, commits_max } => {
            format!("batched: {commits_max} commits or {interval_micros} µs")
        }
        DurabilityPlan::Async { interval_micros } => format!("async: {interval_micros} µs"),
    };
    let storage = match engine.storage {
        Storage::Memory => "memory only",
        Storage::Disk => "memory and simulated disk",
    };
    let checkpoint = match engine.checkpoint_bytes {
        0 => "never by itself".to_owned(),
        bytes => format!("every {bytes} bytes of log"),
    };
    let mut words = vec![
        ("size", plan.size().to_string()),
        ("durability", durability),
        ("isolation", format!("{:?}", engine.isolation).to_lowercase()),
        ("storage", storage.to_owned()),
        (
            "log segments",
            format!("{} bytes, allocated {} ahead", engine.segment_bytes, engine.allocate_bytes),
        ),
        ("checkpoints", checkpoint),
        (
            "index",
            format!(
                "pages of {} entries, journals of {}, packed {}, {} snapshot generations, a look at the oldest every {} commits",
                engine.page_entries,
                engine.journal_records,
                if engine.packs_beside_commits { "beside commits" } else { "by commits" },
                engine.snapshot_generations,
                engine.collect_every
            ),
        ),
    ];
    if !plan.mutants.is_empty() {
        words.insert(0, ("deliberate bugs", plan.mutants.join(", ")));
    }
    let mut words: Vec<(String, String)> =
        words.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    words.extend(plan.lives.iter().enumerate().map(|(n, life)| (format!("life {n}"), life_words(life))));
    let faults = &plan.disk.faults;
    words.extend(faults.rules.iter().map(|rule| {
        let class = rule.class.as_deref().unwrap_or("every file");
        ("may fail".to_owned(), format!("{} on {class}, at most {} times", rule.kind, rule.budget))
    }));
    words.extend(faults.exact.iter().map(|fault| ("fails".to_owned(), fault.key.to_string())));
    words.extend(plan.clock.jumps.iter().map(|jump| {
        ("clock jumps".to_owned(), format!("by {} ms after {} µs", jump.by_ms, jump.at_ns / 1_000))
    }));
    words
}

fn life_words(life: &LifePlan) -> String {
    let strategy = match life.strategy.preemptions() {
        0 => format!("strategy {}", life.strategy.name()),
        switches => format!("strategy {} with {switches} switches", life.strategy.name()),
    };
    let crash = life.crash.as_ref().map(|crash| format!(", {}", crash_words(crash))).unwrap_or_default();
    format!("{strategy}{crash}, then {}", format!("{:?}", life.ending).to_lowercase())
}

/// Returns a power cut in words.
pub fn crash_words(crash: &CrashAt) -> String {
    match crash {
        CrashAt::Step(step) => format!("power cut at step {step}"),
        CrashAt::Point(point) => format!("power cut at {point}"),
        CrashAt::Disk { operation, after } => {
            format!("power cut {} disk operation {operation}", side(*after))
        }
        CrashAt::Sync { nth, after } => format!("power cut {} sync {nth}", side(*after)),
        CrashAt::Growth { nth } => format!("power cut before sync {nth} of a log that has grown"),
        CrashAt::Promise { nth } => format!("power cut when the disk is used next after promise {nth}"),
    }
}

const fn side(after: bool) -> &'static str {
    if after { "after" } else { "before" }
}

fn omitted(run: &Run, watched: &Watched) -> Vec<String> {
    let mut omitted = Vec::new();
    if watched.steps.is_empty() {
        omitted.push("the interleaving: this run was not watched".to_owned());
    }
    omitted.extend(run.verdict.undecided.iter().map(|what| format!("a verdict on this: {what}")));
    omitted
}

#[cfg(test)]
mod tests {
    use super::violation;
    use crate::finding::Finding;
    use crate::invariants;

    #[test]
    fn a_failure_of_an_application_is_headed_by_no_row_of_the_contract_and_no_pattern() {
        let message = "life 2: 1 seats are sold, and the ledger has 2 lines".to_owned();
        let class = "# seats are sold, and the ledger has # lines";
        let own = violation(&Finding::of_world(invariants::APPLICATION, class, message), |_| None);
        assert_eq!((&*own.contract, &*own.invariant), ("application", "what it promises itself"));
        assert_eq!(own.message, "life 2: 1 seats are sold, and the ledger has 2 lines");
        let stores =
            violation(&Finding::of_world(invariants::REST, "nothing waits", String::new()), |_| None);
        assert_eq!(stores.invariant, "rest (nothing waits)");
    }
}
