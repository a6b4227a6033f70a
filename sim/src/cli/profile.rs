//! Options from elsewhere: profiles of a file `stormproof.toml`, and variables `STORMPROOF_…`.
//!
//! What is typed wins over a variable, a variable over the chosen profile, that over the profile `default`.
//! An option that conflicts with a typed one is left out.
//!
//! ```toml
//! [profile.default]
//! jobs = 4
//!
//! [profile.nightly]
//! faults = "crashes"
//! sweep = { for = "40m", workload = ["bank", "hotspot"] }
//! ```

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command};
use toml::{Table, Value};

use super::Failure;
use crate::suggest::use_one_of;

/// The file that is read if it is there.
const FILE: &str = "stormproof.toml";

/// How variables begin.
const PREFIX: &str = "STORMPROOF_";

/// The profile that is always read.
const DEFAULT: &str = "default";

/// Where options come from.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Sources {
    /// Options of this profile of stormproof.toml as well as those that are given
    #[arg(long, global = true, value_name = "NAME", help_heading = "Output")]
    profile: Option<String>,
    /// The file of profiles [default: stormproof.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Output")]
    config: Option<PathBuf>,
}

/// Adds the options of profiles and variables to those that were typed.
pub(super) fn expand(command: &Command, typed: Vec<OsString>) -> Result<Vec<OsString>, Failure> {
    let mut command = command.clone().ignore_errors(true);
    // Global options are known to subcommands after this only.
    command.build();
    let Ok(matches) = command.clone().try_get_matches_from(&typed) else { return Ok(typed) };
    let Some((name, of_sub)) = matches.subcommand() else { return Ok(typed) };
    let Some(sub) = command.find_subcommand(name).filter(|sub| !sub.is_hide_set()) else { return Ok(typed) };
    let mut options = configured(&command, sub, of_sub)?;
    for arg in long_options(sub) {
        let long = arg.get_long().unwrap_or_default();
        if let Some(value) = variable(&long.replace('-', "_").to_uppercase()) {
            options.insert(long.to_owned(), vec![value]);
        }
    }
    let given: Vec<&Arg> = sub.get_arguments().filter(|arg| is_typed(of_sub, arg)).collect();
    let mut added = Vec::new();
    for arg in long_options(sub) {
        let Some(values) = arg.get_long().and_then(|long| options.get(long)) else { continue };
        let conflicts = |typed: &&Arg| {
            let against = |one: &Arg, other: &Arg| {
                sub.get_arg_conflicts_with(one).iter().any(|arg| arg.get_id() == other.get_id())
            };
            typed.get_id() == arg.get_id() || against(typed, arg) || against(arg, typed)
        };
        if !given.iter().any(conflicts) {
            added.extend(flags(arg, values));
        }
    }
    Ok(insert(typed, added))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(format!("{PREFIX}{name}")).ok().filter(|value| !value.is_empty())
}

/// Returns the options of a command that have a value, or are switches, by their long names.
fn long_options(command: &Command) -> impl Iterator<Item = &Arg> {
    let is_option = |arg: &&Arg| {
        let action = arg.get_action();
        arg.get_long().is_some() && (action.takes_values() || matches!(action, ArgAction::SetTrue))
    };
    command
        .get_arguments()
        .filter(is_option)
        .filter(|arg| !["profile", "config"].contains(&arg.get_id().as_str()))
}

fn is_typed(matches: &ArgMatches, arg: &Arg) -> bool {
    let id = arg.get_id().as_str();
    matches.try_contains_id(id).unwrap_or(false) && matches.value_source(id) == Some(ValueSource::CommandLine)
}

/// Returns the options of a profile for a command.
fn configured(
    command: &Command,
    sub: &Command,
    matches: &ArgMatches,
) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    let typed: Option<&PathBuf> = matches.get_one("config");
    let named = typed.cloned().or_else(|| variable("CONFIG").map(PathBuf::from));
    let path = named.clone().unwrap_or_else(|| FILE.into());
    let typed: Option<&String> = matches.get_one("profile");
    let chosen = typed.cloned().or_else(|| variable("PROFILE"));
    let mut options = BTreeMap::new();
    if named.is_none() && !path.exists() {
        return match chosen {
            None => Ok(options),
            Some(name) => Err(Failure::usage(format!(
                "there is no profile {name}: there is no {FILE} here: write one, or name it with --config"
            ))),
        };
    }
    let wrong = |why: &dyn std::fmt::Display| Failure::usage(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(&path)
        .map_err(|error| wrong(&format!("it can't be read: {error}: name another --config")))?;
    let file: Table = text.parse().map_err(|error| wrong(&error))?;
    let profiles = match file.get("profile") {
        Some(Value::Table(profiles)) => profiles.clone(),
        _ => Table::new(),
    };
    if let Some(other) = file.keys().find(|key| *key != "profile") {
        return Err(wrong(&format!("`{other}` means nothing: write tables [profile.NAME]")));
    }
    if let Some(name) = chosen.as_ref().filter(|name| !profiles.contains_key(*name)) {
        let known: Vec<String> = profiles.keys().cloned().collect();
        return Err(wrong(&format!("it has no profile {name}: {}", use_one_of(name, &known))));
    }
    for name in [Some(DEFAULT), chosen.as_deref()].into_iter().flatten() {
        let Some(Value::Table(profile)) = profiles.get(name) else { continue };
        check_names(command, profile).map_err(|why| wrong(&format!("profile {name}: {why}")))?;
        let of_command = profile.get(sub.get_name()).and_then(Value::as_table);
        for (key, value) in profile.iter().chain(of_command.into_iter().flatten()) {
            if !value.is_table() {
                options.insert(key.clone(), values(value));
            }
        }
    }
    Ok(options)
}

/// Checks that some command has each option of a profile: a misspelled one would be ignored in silence.
fn check_names(command: &Command, profile: &Table) -> Result<(), String> {
    let names = |command: &Command| -> Vec<String> {
        long_options(command).filter_map(|arg| arg.get_long().map(str::to_owned)).collect()
    };
    let mut all: Vec<String> = command.get_subcommands().flat_map(names).collect();
    all.sort();
    all.dedup();
    for (key, value) in profile {
        match (value, command.find_subcommand(key)) {
            (Value::Table(of_command), Some(sub)) => {
                let known = names(sub);
                if let Some(name) = of_command.keys().find(|name| !known.contains(name)) {
                    return Err(format!("{key} has no option `{name}`: {}", use_one_of(name, &known)));
                }
            }
            (Value::Table(_), None) => {
                let known: Vec<String> =
                    command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
                return Err(format!("no command is called `{key}`: {}", use_one_of(key, &known)));
            }
            (_, _) if !all.contains(key) => {
                return Err(format!("no command has an option `{key}`: {}", use_one_of(key, &all)));
            }
            _ => {}
        }
    }
    Ok(())
}

fn values(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(self::values).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Integer(number) => vec![number.to_string()],
        Value::Float(number) => vec![number.to_string()],
        Value::Boolean(is_set) => vec![is_set.to_string()],
        Value::Datetime(_) | Value::Table(_) => Vec::new(),
    }
}

/// Returns an option as it would be typed.
fn flags(arg: &Arg, values: &[String]) -> Vec<OsString> {
    let flag = OsString::from(format!("--{}", arg.get_long().unwrap_or_default()));
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        let is_set = values.first().is_some_and(|value| !["false", "0", "no"].contains(&value.as_str()));
        return if is_set { vec![flag] } else { Vec::new() };
    }
    values.iter().flat_map(|value| [flag.clone(), OsString::from(value)]).collect()
}

/// Inserts options at the end, but before a `--` and what follows it.
fn insert(mut typed: Vec<OsString>, added: Vec<OsString>) -> Vec<OsString> {
    let end = typed.iter().position(|arg| arg.as_os_str() == OsStr::new("--")).unwrap_or(typed.len());
    typed.splice(end..end, added);
    typed
}
