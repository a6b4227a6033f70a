//! The binary `stormproof`: arguments, output, exit codes.
//!
//! Without arguments it does its main job, a sweep of ten seconds on all cores. Exit codes: 0 everything
//! held, 1 a violation was found, 2 the command was wrong, 3 the simulator itself failed (nondeterminism, a
//! panic outside of the engine) or the campaign proves nothing (nothing happened, a shard is missing), 4
//! whether it holds could not be decided, 130 and 143 a signal ended it before anything was violated.
//!
//! All output goes through `terminal`: a closed pipe is no error, a full disk is reported.
//!
//! INV-CLI-1: with `--json`, standard output is one JSON document and nothing else; everything for people
//! goes to standard error.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod check;
mod completions;
mod dump;
mod dump_format;
mod duration;
mod enumerate;
mod explore;
mod guided;
mod inspect;
mod list;
mod load;
mod man;
mod output;
mod profile;
mod real;
mod rendering;
mod replay;
mod report;
mod run;
mod shrink;
mod signals;
mod sweep;
mod terminal;
mod verify;
mod zoo;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use stormproof_rt::sync::Arc;
use stormproof_workloads::Workload;

use crate::registry::Registry;
use crate::run::RunError;
use crate::runner::RunnerError;
use crate::trace::TraceError;
use terminal::Terminal;

/// Runs the command line of this process with the workloads of the catalogue.
pub fn main() -> ExitCode {
    main_with(Vec::new())
}

/// Runs the command line of this process with the workloads of the catalogue and with `workloads`: this is
/// how a binary of your own gets all of `stormproof`.
///
/// ```no_run
/// use std::process::ExitCode;
/// use std::sync::Arc;
///
/// use stormproof_sim::cli;
/// # use stormproof_workloads::{About, Evidence, Finding, Workload};
/// # struct Twins;
/// # impl Workload for Twins {
/// #     fn name(&self) -> &str { "twins" }
/// #     fn about(&self) -> About { About { stresses: "two keys", invariant: "left and right are equal" } }
/// #     fn check(&self, _evidence: &Evidence<'_>) -> Vec<Finding> { Vec::new() }
/// # }
///
/// fn main() -> ExitCode {
///     cli::main_with(vec![Arc::new(Twins)])
/// }
/// ```
pub fn main_with(workloads: Vec<Arc<dyn Workload>>) -> ExitCode {
    let typed = std::env::args_os().collect();
    let arguments = match profile::expand(&command(), typed) {
        Ok(arguments) => arguments,
        Err(failure) => {
            Terminal::new(&terminal::Output::default()).warn(&format!("error: {}", failure.message));
            return failure.exit.into();
        }
    };
    let words: Vec<String> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return show_usage(&error).into(),
    };
    let terminal = &Terminal::new(&arguments.output).of_command(words.join(" "));
    let registry = Registry::new(workloads);
    let command = arguments.command.unwrap_or(Command::Sweep(sweep::Arguments::default()));
    let done = match command {
        Command::Run(arguments) => run::execute(arguments, registry, terminal),
        Command::Sweep(arguments) => sweep::execute(arguments, registry, terminal),
        Command::Replay(arguments) => replay::execute(arguments, registry, terminal),
        Command::Shrink(arguments) => shrink::execute(arguments, registry, terminal),
        Command::Explore(arguments) => explore::execute(arguments, registry, terminal),
        Command::List(arguments) => list::execute(&arguments, &registry, terminal),
        Command::Zoo(arguments) => zoo::execute(arguments, registry, terminal),
        Command::Enumerate(arguments) => enumerate::execute(arguments, registry, terminal),
        Command::Report(arguments) => report::execute(arguments, registry, terminal),
        Command::Check(arguments) => check::execute(&arguments, terminal),
        Command::Inspect(arguments) => inspect::execute(&arguments, terminal),
        Command::Verify(arguments) => verify::execute(&arguments, terminal),
        Command::Dump(arguments) => dump::execute(&arguments, terminal),
        Command::Load(arguments) => load::execute(&arguments, terminal),
        Command::Completions(arguments) => completions::execute(&arguments, terminal),
        Command::Man(arguments) => man::execute(&arguments, terminal),
        Command::Worker(arguments) => sweep::work(arguments, registry),
        Command::Life => real::live(&registry),
    };
    let exit = done.unwrap_or_else(|failure| {
        terminal.warn(&format!("error: {}", failure.message));
        failure.exit
    });
    terminal.finish(exit).into()
}

/// Prints help, version, or what is wrong with the arguments. A reader that stops reading is no error here
/// either.
fn show_usage(error: &clap::Error) -> Exit {
    let is_help = !error.use_stderr();
    match error.print() {
        Err(io) if is_help && io.kind() != std::io::ErrorKind::BrokenPipe => Exit::Failed,
        _ if is_help => Exit::Held,
        _ => Exit::Usage,
    }
}

/// The version of every JSON document that commands print, whose schemas are in `sim/schemas`.
const JSON_FORMAT: u32 = 2;

/// Returns the definition of the command line, for completions and manuals.
pub fn command() -> clap::Command {
    Arguments::command()
}

#[derive(Parser, Debug)]
#[command(
    name = "stormproof",
    version,
    about = "Runs the Stormproof engine under seeds that decide every interleaving, fault and crash, and checks its contract",
    after_help = "Without a command: a sweep of 10 seconds on all cores.\n\
                  Exit codes: 0 held, 1 violation, 2 usage, 3 no verdict (the simulator failed, or nothing was proven), 4 not \
                  decided, 130 and 143 ended by a signal before anything was violated."
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    output: terminal::Output,
    #[command(flatten)]
    sources: profile::Sources,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Runs one seed, or the real store on real threads
    Run(run::Arguments),
    /// Runs many seeds on all cores
    Sweep(sweep::Arguments),
    /// Repeats a run from its seed or its trace file
    Replay(replay::Arguments),
    /// Shrinks a failure
    Shrink(shrink::Arguments),
    /// Runs all interleavings of a tiny plan
    Explore(explore::Arguments),
    /// Lists workloads, invariants, mutants and strategies
    List(list::Arguments),
    /// Shows that deliberate bugs of the engine are found
    Zoo(zoo::Arguments),
    /// Tries every crash of a short plan
    Enumerate(enumerate::Arguments),
    /// Shows a run, a trace, or what sweeps wrote, in any format
    Report(report::Arguments),
    /// Checks a recorded history against an isolation level
    Check(check::Arguments),
    /// Shows the files of a database without opening it
    Inspect(inspect::Arguments),
    /// Verifies a database without opening it
    Verify(verify::Arguments),
    /// Prints a whole database as JSON lines
    Dump(dump::Arguments),
    /// Makes a database of what `dump` printed
    Load(load::Arguments),
    /// Prints a script that completes commands in a shell
    Completions(completions::Arguments),
    /// Writes manual pages
    Man(man::Arguments),
    /// Runs seeds for a coordinator
    #[command(name = "__worker", hide = true)]
    Worker(sweep::WorkerArguments),
    /// Runs as the process of one life of a store
    #[command(name = crate::real::round::LIFE, hide = true)]
    Life,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// Everything held.
    Held,
    /// A violation was found.
    Violated,
    /// The command was wrong.
    Usage,
    /// The simulator itself failed.
    Failed,
    /// Whether it holds could not be decided.
    Unknown,
    /// A signal with this number ended it, and nothing was violated until then.
    Interrupted(u8),
}

impl Exit {
    /// Returns the verdict of a JSON document.
    const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Violated => "violated",
            Self::Usage => "refused",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Interrupted(_) => "interrupted",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Held => 0,
            Exit::Violated => 1,
            Exit::Usage => 2,
            Exit::Failed => 3,
            Exit::Unknown => 4,
            Exit::Interrupted(signal) => 128_u8.saturating_add(signal),
        })
    }
}

/// Why a command failed, in one form, which is clap's own too: `what happened: why: what to do`.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    fn usage(message: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Usage, message: message.to_string() }
    }

    fn own(message: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Failed, message: message.to_string() }
    }
}

impl From<RunError> for Failure {
    /// Converts the error: a plan that names what this binary does not have is wrong usage, everything else
    /// is the simulator's fault.
    fn from(error: RunError) -> Self {
        match error {
            RunError::UnknownWorkload(_) | RunError::UnknownMutant(_) => Self::usage(error),
            RunError::Panicked(_) | RunError::Recording(_) | RunError::Cancelled => Self::own(error),
        }
    }
}

impl From<RunnerError> for Failure {
    fn from(error: RunnerError) -> Self {
        Self::usage(error)
    }
}

impl From<TraceError> for Failure {
    fn from(error: TraceError) -> Self {
        Self::usage(error)
    }
}

type Done = Result<Exit, Failure>;

#[cfg(test)]
mod tests {
    use super::command;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }
}
