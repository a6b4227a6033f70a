//! Options of a simulation: which workloads, faults and deliberate bugs seeds may draw.
//!
//! Job: one set of options, the same for `run`, `sweep`, `shrink` and `zoo`, passed to worker processes as
//! JSON and to reproducing commands as flags. A seed and these options together decide a plan.
//! Not its job: drawing (`plan`).

use std::path::PathBuf;

#[cfg(feature = "cli")]
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

/// Limits what seeds draw. By default everything may be drawn.
#[cfg_attr(feature = "cli", derive(Args))]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Only this workload (repeatable; `stormproof list` names them)
    #[cfg_attr(feature = "cli", arg(long, value_name = "NAME"))]
    pub workload: Vec<String>,

    /// Set a parameter of the workloads, as in `--set counters=4` (repeatable; `stormproof list --json` names
    /// them)
    #[cfg_attr(feature = "cli", arg(long, value_name = "NAME=VALUE"))]
    pub set: Vec<String>,

    /// Play what an application recorded (`DatabaseBuilder::record`), instead of a workload
    #[cfg_attr(feature = "cli", arg(long, value_name = "FILE", conflicts_with = "workload"))]
    pub recording: Option<PathBuf>,

    /// Switch on a deliberate bug of the engine (repeatable; `stormproof list` names them)
    #[cfg_attr(feature = "cli", arg(long, value_name = "NAME"))]
    pub mutant: Vec<String>,

    /// Only this scheduling strategy (repeatable; `stormproof list` names them)
    #[cfg_attr(feature = "cli", arg(long, value_name = "NAME"))]
    pub strategy: Vec<String>,

    /// Which faults may happen
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t = Faults::All))]
    pub faults: Faults,

    /// Only this durability mode
    #[cfg_attr(feature = "cli", arg(long, value_enum))]
    pub durability: Option<DurabilityKind>,

    /// Only this isolation
    #[cfg_attr(feature = "cli", arg(long, value_enum))]
    pub isolation: Option<IsolationKind>,

    /// Number of clients, instead of 1 to 16
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", value_parser = at_least_one))]
    pub clients: Option<u32>,

    /// Number of transactions per client
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", value_parser = at_least_one))]
    pub transactions: Option<u32>,
}

/// Which faults may happen.
#[cfg_attr(feature = "cli", derive(ValueEnum))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Faults {
    /// Crashes, failing disks and decay.
    #[default]
    All,
    /// The same, with lies in the place of decay: syncs that do nothing, writes that never arrive or arrive
    /// elsewhere. A store can at best notice them, so losses are excused.
    Lies,
    /// Crashes only.
    Crashes,
    /// None.
    None,
}

/// A durability mode without its parameters.
#[cfg_attr(feature = "cli", derive(ValueEnum))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DurabilityKind {
    /// Every ack is durable.
    Strict,
    /// Acks come before the sync; a ticket waits for durability.
    Pipelined,
    /// Synced after a number of commits or an interval.
    Batched,
    /// Synced after an interval.
    Async,
}

/// An isolation that the engine offers.
#[cfg_attr(feature = "cli", derive(ValueEnum))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IsolationKind {
    /// Snapshot isolation.
    Snapshot,
    /// Serializable.
    Serializable,
}

impl Options {
    /// Returns the flags that give these options, each with a space before it; empty if nothing is set.
    pub fn to_flags(&self) -> String {
        let mut flags = String::new();
        let mut flag = |name: &str, value: &str| {
            flags.push_str(&format!(" --{name} {value}"));
        };
        for (name, values) in [
            ("workload", &self.workload),
            ("set", &self.set),
            ("mutant", &self.mutant),
            ("strategy", &self.strategy),
        ] {
            values.iter().for_each(|value| flag(name, value));
        }
        if let Some(recording) = &self.recording {
            flag("recording", &recording.display().to_string());
        }
        if self.faults != Faults::All {
            flag("faults", &name_of(&self.faults));
        }
        if let Some(durability) = &self.durability {
            flag("durability", &name_of(durability));
        }
        if let Some(isolation) = &self.isolation {
            flag("isolation", &name_of(isolation));
        }
        for (name, value) in [("clients", self.clients), ("transactions", self.transactions)] {
            if let Some(value) = value {
                flag(name, &value.to_string());
            }
        }
        flags
    }
}

/// Parses a number of at least one: a run without any clients or transactions proves nothing.
#[cfg(feature = "cli")]
fn at_least_one(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        Ok(_) => Err("nothing would happen, and nothing be proven: write 1 or more".to_owned()),
        Err(_) => Err(format!("`{text}` is no number: write 1 or more")),
    }
}

/// Returns the name of a value, which files and flags have in common.
fn name_of(value: &impl Serialize) -> String {
    let name = serde_json::to_value(value).ok();
    name.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use clap::Parser;

    use super::{DurabilityKind, Faults, IsolationKind, Options};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn a_reproducing_command_gives_the_same_options() {
        let options = Options {
            workload: vec!["bank".into(), "hotspot".into()],
            set: vec!["counters=4".into()],
            recording: None,
            mutant: vec!["AckBeforeSync".into()],
            strategy: vec!["pct".into()],
            faults: Faults::Crashes,
            durability: Some(DurabilityKind::Async),
            isolation: Some(IsolationKind::Snapshot),
            clients: Some(3),
            transactions: Some(5),
        };
        let line = format!("stormproof{}", options.to_flags());
        assert_eq!(Line::parse_from(line.split(' ')).options, options);
        assert_eq!(Options::default().to_flags(), "");
        let recorded = Options { recording: Some("shapes.jsonl".into()), ..Options::default() };
        let line = format!("stormproof{}", recorded.to_flags());
        assert_eq!(Line::parse_from(line.split(' ')).options, recorded);
    }
}
