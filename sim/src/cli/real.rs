//! `stormproof run --real`, `--store`, `--kill` and `--power-cuts`: rounds on real threads and a real disk.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use stormproof_rt::time;

use super::output::{check_folder, violations_in};
use super::rendering::Rendering;
use super::signals::Signals;
use super::terminal::{Terminal, outln};
use super::{Done, Exit, Failure, JSON_FORMAT};
use crate::options::{Faults, Options};
use crate::real::campaign::{Campaign, CampaignError, RoundReport};
use crate::real::figures::Figures;
use crate::real::round::{Host, Kills};
use crate::real::{Target, serve};
use crate::registry::Registry;
use crate::report::{Rounds, rounds};
use crate::seed::Seed;

#[derive(clap::Args, Debug)]
#[group(id = "real-runs")]
pub(super) struct Arguments {
    /// Run on real threads and a real disk, each round in its own folder in DIR
    #[arg(long, value_name = "DIR", help_heading = HEADING)]
    pub(super) real: Option<PathBuf>,
    /// Run this store on real threads and a real disk [default: stormproof]
    #[arg(long, value_name = "NAME", help_heading = HEADING)]
    pub(super) store: Option<String>,
    /// Run each life in a process of its own, and kill processes on the way
    #[arg(long, help_heading = HEADING)]
    kill: bool,
    /// With --kill: the power goes out with each kill, and takes a random part of what was not synced (Linux,
    /// by FUSE)
    #[arg(long, requires = "kill", help_heading = HEADING)]
    power_cuts: bool,
    /// Real runs: time limit, as in 30s or 5m [default: 10s, without --rounds]
    #[arg(long = "for", value_name = "TIME", value_parser = super::duration::duration, help_heading = HEADING)]
    time_limit: Option<Duration>,
    /// Real runs: number of rounds, each with the next seed and workload
    #[arg(long, value_name = "N", help_heading = HEADING)]
    rounds: Option<u64>,
    /// Real runs: number of clients, each on its own thread
    #[arg(long, value_name = "N", default_value_t = 8, help_heading = HEADING)]
    threads: u32,
}

const HEADING: &str = "Real runs";

/// Transactions of each client, unless --transactions says otherwise.
const TRANSACTIONS: u32 = 60;

/// A round without an event for this long is stuck.
const SILENCE_MAX: Duration = Duration::from_secs(60);

impl Arguments {
    /// Returns whether the run is a real one.
    pub(super) fn is_real(&self) -> bool {
        self.real.is_some() || self.store.is_some() || self.kill
    }

    /// Returns what makes the run a real one, as flags.
    fn flags(&self) -> String {
        let folder = self.real.clone().unwrap_or_else(|| "real".into());
        let store = self.store.as_ref().map(|store| format!(" --store {store}")).unwrap_or_default();
        let kill = match self.kills() {
            Kills::None => "",
            Kills::Processes => " --kill",
            Kills::PowerCuts => " --kill --power-cuts",
        };
        format!(" --real {}{store}{kill}", folder.display())
    }

    fn kills(&self) -> Kills {
        match (self.kill, self.power_cuts) {
            (false, _) => Kills::None,
            (true, false) => Kills::Processes,
            (true, true) => Kills::PowerCuts,
        }
    }
}

/// Options of simulated and real runs.
pub(super) struct Common {
    pub(super) seed: Option<Seed>,
    pub(super) options: Options,
    pub(super) failures: PathBuf,
    pub(super) json: bool,
    pub(super) rendering: Rendering,
}

/// Runs as the process of one life.
pub(super) fn live(registry: &Registry) -> Done {
    serve(registry).map_err(Failure::own)?;
    Ok(Exit::Held)
}

pub(super) fn execute(
    arguments: Arguments,
    common: Common,
    registry: &Registry,
    terminal: &Terminal,
) -> Done {
    let store = arguments.store.as_deref().unwrap_or(Target::ENGINE);
    refuse_simulated(&common.options)?;
    let format = common.rendering.check_campaign()?;
    let can = Target::capabilities_of(store).map_err(Failure::usage)?;
    let temporary = match arguments.real {
        Some(_) => None,
        None => Some(tempfile::tempdir().map_err(Failure::own)?),
    };
    let folder = arguments.real.clone().or_else(|| temporary.as_ref().map(|dir| dir.path().to_owned()));
    check_folder(&common.failures)?;
    let signals = Signals::listen();
    let time_limit = match (arguments.time_limit, arguments.rounds) {
        (None, None) => Some(Duration::from_secs(10)),
        (limit, _) => limit,
    };
    let (flags, kills) = (arguments.flags(), arguments.kills());
    let campaign = Campaign {
        store: store.to_owned(),
        workloads: registry.select(&common.options, &can).map_err(Failure::usage)?,
        options: Options {
            clients: common.options.clients.or(Some(arguments.threads)),
            transactions: common.options.transactions.or(Some(TRANSACTIONS)),
            ..common.options
        },
        kills,
        first: common.seed.unwrap_or(Seed(0)),
        rounds: arguments.rounds,
        time_limit,
        folder: folder.unwrap_or_default(),
        failures: common.failures,
        host: Host { program: std::env::current_exe().map_err(Failure::own)?, silence_max: SILENCE_MAX },
        stop: signals.flag(),
    };
    let json = common.json;
    let start = time::now();
    let reports = campaign.run(|round| print_round(round, json, terminal)).map_err(|error| match error {
        CampaignError::Recording { .. } => Failure::own(error),
        _ => Failure::usage(error),
    })?;
    if let Some(temporary) = temporary.filter(|_| reports.iter().any(|round| round.kept.is_some())) {
        let _ = temporary.keep();
    }
    let about = Rounds {
        store,
        flags: &flags,
        options: &campaign.options,
        command: terminal.command(),
        took: time::now().saturating_since(start),
    };
    let exit = finish(&campaign, &reports, json, terminal)?;
    // Printed before the report is written: a file that can't be written must not hide a violation.
    common.rendering.write(&rounds(&about, &reports).into(), format)?;
    Ok(signals.exit(exit))
}

/// Refuses options that only simulations have.
fn refuse_simulated(options: &Options) -> Result<(), Failure> {
    let option = match options {
        Options { mutant, .. } if !mutant.is_empty() => "--mutant",
        Options { strategy, .. } if !strategy.is_empty() => "--strategy",
        Options { faults, .. } if *faults != Faults::All => "--faults",
        _ => return Ok(()),
    };
    Err(Failure::usage(format!("{option} is for simulations: leave it out, or --real, --store and --kill")))
}

/// Prints the result of a round: on standard output, or with --json on standard error.
fn print_round(round: &RoundReport, json: bool, terminal: &Terminal) {
    let standing = if round.findings.is_empty() { "held" } else { "VIOLATED" };
    let mut text = format!(
        "seed {}: {} on {}: {}: {standing}\n",
        round.seed,
        round.workload,
        round.store,
        round.figures.words()
    );
    text += &violations_in(&round.findings, round.history.as_ref(), terminal);
    if let Some(path) = &round.history_file {
        text += &format!("history:   {} (stormproof check)\n", path.display());
    }
    if let Some(path) = &round.kept {
        text += &format!("files:     {}\n", path.display());
    }
    match (json, round.findings.is_empty()) {
        (true, _) => terminal.note(text.trim_end()),
        (false, true) => terminal.tell(&text),
        (false, false) => terminal.print(&text),
    }
}

fn finish(campaign: &Campaign, reports: &[RoundReport], json: bool, terminal: &Terminal) -> Done {
    let mut sum = Figures::default();
    reports.iter().for_each(|round| sum.add(&round.figures));
    let violated = reports.iter().filter(|round| !round.findings.is_empty()).count();
    let undecided = reports.iter().filter(|round| !round.undecided.is_empty()).count();
    // A store with versions was judged by them, whatever the black box could not decide.
    let judged = Target::capabilities_of(&campaign.store).is_ok_and(|can| can.versions);
    let exit = match () {
        () if violated > 0 => Exit::Violated,
        () if sum.commits == 0 => return Err(Failure::own("nothing was committed, so nothing was checked")),
        () if undecided > 0 && !judged => Exit::Unknown,
        () => Exit::Held,
    };
    if json {
        terminal.document(&json!({
            "format": JSON_FORMAT,
            "kind": "rounds",
            "store": campaign.store,
            "kill": campaign.kills != Kills::None,
            "power_cuts": campaign.kills == Kills::PowerCuts,
            "verdict": exit.word(),
            "figures": sum,
            "conflicts_per_mille": sum.conflicts_per_mille(),
            "violated": violated,
            "undecided": undecided,
            "rounds": reports,
        }))?;
    } else {
        outln!(terminal, "{} rounds: {}", sum.rounds, sum.words());
        let undecided =
            if undecided > 0 { format!(", {undecided} not decided by values alone") } else { String::new() };
        outln!(terminal, "{violated} rounds violated{undecided}");
    }
    Ok(exit)
}
