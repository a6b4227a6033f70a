//! `stormproof check`: a recorded history, judged by values alone.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;
use stormproof_oracle::formats::{Format, FormatError, Initial};
use stormproof_oracle::models::{Model, check_model};
use stormproof_oracle::{
    ANOMALY_NAMES, CheckOptions, CheckReport, Conclusion, Level, VersionOrders, check_file,
};

use super::output::write_file;
use super::terminal::{Terminal, out, outln};
use super::{Done, Exit, Failure, JSON_FORMAT};

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// A history: of a run, of Jepsen, of dbcop, or a script; gzipped or not
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Check this isolation level and those that it implies [default: all]
    #[arg(long, value_name = "LEVEL", long_help = levels())]
    level: Option<Level>,
    /// Only these anomalies count, by their names [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = anomaly, long_help = anomalies())]
    anomalies: Vec<String>,
    /// Check what a workload promises instead of isolation levels: a bank, a set, a register
    #[arg(
        long,
        value_name = "MODEL",
        conflicts_with_all = ["level", "anomalies", "dot", "svg", "html"],
        long_help = models()
    )]
    model: Option<Model>,
    /// edn, json, jsonl, dbcop, text or script [default: by ending and content]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// The value of registers before the first write, or `any` [default: nothing, or 0 in dbcop and text]
    #[arg(long, value_name = "VALUE", default_value = "", hide_default_value = true)]
    initial: String,
    /// Assume that each process sees the versions of a key in their order
    #[arg(long)]
    sequential_keys: bool,
    /// Assume that the versions of each key follow real time
    #[arg(long)]
    linearizable_keys: bool,
    /// Number of search steps for each level or object after which it stays undecided
    #[arg(long, value_name = "N", default_value_t = CheckOptions::default().search_steps_max)]
    steps: u64,
    /// Memory of the search, in MiB, after which the level stays undecided
    #[arg(long, value_name = "MIB", default_value_t = CheckOptions::default().memory_max >> 20)]
    memory: u64,
    /// Write the cycles that were found to this file, for Graphviz
    #[arg(long, value_name = "FILE")]
    dot: Option<PathBuf>,
    /// Write the cycles that were found to this file, as a picture
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write everything to this file, as one page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print one JSON document on standard output and nothing else
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(arguments: &Arguments, terminal: &Terminal) -> Done {
    if let Some(model) = arguments.model {
        return execute_model(arguments, model, terminal);
    }
    let file = &arguments.file;
    let initial = match arguments.initial.as_str() {
        "" => Initial::Default,
        "any" => Initial::Any,
        value => Initial::Value(value.as_bytes().to_vec()),
    };
    let report = match check_file(file, arguments.format, &initial, &arguments.options()) {
        Ok(report) => report,
        Err(error) => return refuse(arguments, terminal, unreadable(file, &error), &error),
    };
    let conclusion = report.conclusion();
    if let Conclusion::NothingJudged(why) = &conclusion {
        return refuse_nothing(
            arguments,
            terminal,
            why,
            "give a history of transactions, or name the --model of its workload",
        );
    }
    write_pictures(arguments, &report)?;
    print(arguments, terminal, &conclusion, &report, &report.text())?;
    if let (Conclusion::Undecided(why), false) = (&conclusion, arguments.json) {
        outln!(terminal, "undecided: {why}");
    }
    Ok(exit(&conclusion))
}

fn execute_model(arguments: &Arguments, model: Model, terminal: &Terminal) -> Done {
    let file = &arguments.file;
    let report = match check_model(file, arguments.format, model, arguments.steps) {
        Ok(report) => report,
        Err(error) => return refuse(arguments, terminal, unreadable(file, &error), &error),
    };
    let conclusion = report.conclusion();
    if let Conclusion::NothingJudged(why) = &conclusion {
        return refuse_nothing(arguments, terminal, why, "name the --model of its workload");
    }
    print(arguments, terminal, &conclusion, &report, &report.text())?;
    Ok(exit(&conclusion))
}

/// Prints a report as text, or as the one document that was asked for.
fn print(
    arguments: &Arguments,
    terminal: &Terminal,
    conclusion: &Conclusion,
    report: &impl Serialize,
    text: &str,
) -> Result<(), Failure> {
    if !arguments.json {
        out!(terminal, "{text}");
        return Ok(());
    }
    terminal.document(&json!({
        "format": JSON_FORMAT,
        "kind": "check",
        "file": arguments.file,
        "verdict": word(conclusion),
        "report": report
    }))
}

impl Arguments {
    fn options(&self) -> CheckOptions {
        let (sequential, linearizable) = (self.sequential_keys, self.linearizable_keys);
        CheckOptions {
            level: self.level,
            anomalies: self.anomalies.clone(),
            orders: VersionOrders { sequential, linearizable },
            search_steps_max: self.steps,
            memory_max: self.memory << 20,
        }
    }
}

fn write_pictures(arguments: &Arguments, report: &CheckReport) -> Result<(), Failure> {
    if let Some(path) = &arguments.dot {
        write_file(path, &report.dot())?;
    }
    if let Some(path) = &arguments.svg {
        write_file(path, &report.svg())?;
    }
    if let Some(path) = &arguments.html {
        write_file(path, &report.html(&arguments.file.display().to_string()))?;
    }
    Ok(())
}

fn exit(conclusion: &Conclusion) -> Exit {
    match conclusion {
        Conclusion::Holds => Exit::Held,
        Conclusion::Violated => Exit::Violated,
        Conclusion::Undecided(_) => Exit::Unknown,
        Conclusion::NothingJudged(_) => Exit::Usage,
    }
}

fn word(conclusion: &Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Holds => "holds",
        Conclusion::Violated => "violated",
        Conclusion::Undecided(_) => "unknown",
        Conclusion::NothingJudged(_) => "nothing judged",
    }
}

fn levels() -> String {
    let names = Level::ALL.map(Level::name).join(", ");
    format!("Check this isolation level and those that it implies, of {names} [default: all]")
}

fn models() -> String {
    let names = Model::NAMES.map(|(name, _)| name).join(", ");
    format!("Check what a workload promises instead of isolation levels, as one of {names}")
}

fn anomalies() -> String {
    let names = ANOMALY_NAMES.join(", ");
    format!(
        "Only these anomalies count, of {names}; cycles also with -process or -realtime behind their names"
    )
}

fn anomaly(name: &str) -> Result<String, String> {
    let base = name.strip_suffix("-process").or_else(|| name.strip_suffix("-realtime")).unwrap_or(name);
    if base == "G1" || ANOMALY_NAMES.contains(&base) {
        return Ok(name.to_owned());
    }
    Err(format!("there is no anomaly \"{name}\"; the anomalies are {}", ANOMALY_NAMES.join(", ")))
}

/// Fails, with a document of what is wrong where one was asked for.
fn refuse(arguments: &Arguments, terminal: &Terminal, failure: Failure, error: &FormatError) -> Done {
    if arguments.json {
        let FormatError { line, column, message } = error;
        let place = json!({ "line": line, "column": column, "message": message });
        terminal.document(&json!({
            "format": JSON_FORMAT,
            "kind": "check",
            "file": arguments.file,
            "verdict": "error",
            "error": place
        }))?;
    }
    Err(failure)
}

fn refuse_nothing(arguments: &Arguments, terminal: &Terminal, why: &str, what_to_do: &str) -> Done {
    let error = FormatError { line: 0, column: 0, message: format!("nothing was judged: {why}") };
    let file = arguments.file.display();
    let failure = Failure::usage(format!("nothing was judged in {file}: {why}: {what_to_do}"));
    refuse(arguments, terminal, failure, &error)
}

/// Returns what happened, where, and what to do.
fn unreadable(file: &Path, error: &FormatError) -> Failure {
    let file = file.display();
    let formats = Format::NAMES.map(|(name, _)| name).join(", ");
    Failure::usage(match (error.line, error.column) {
        (0, 0) => format!("no history in {file}: {error}: give a file that is there, and its --format"),
        _ => format!("no history in {file}: {error}: correct it, or name its --format ({formats})"),
    })
}
