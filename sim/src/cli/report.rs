//! `stormproof report`: what sweeps wrote, merged and rendered.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use stormproof_reports::{Document, Format};

use super::{Done, Exit, Failure};
use crate::report::campaign;
use crate::sweep::Found;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Files that `sweep --out` wrote: all shards of one campaign
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// text, json, junit, markdown or html
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn execute(arguments: &Arguments) -> Done {
    let mut found = Found::default();
    for path in &arguments.files {
        let wrong = |error: &dyn std::fmt::Display| Failure::usage(format!("{}: {error}", path.display()));
        let file = File::open(path).map_err(|error| wrong(&error))?;
        for (number, line) in BufReader::new(file).lines().enumerate() {
            let line = line.map_err(|error| wrong(&error))?;
            let message = serde_json::from_str(&line).map_err(|error| {
                wrong(&format!(
                    "line {} is no result of a sweep: {error}: give a file of `sweep --out`",
                    number + 1
                ))
            })?;
            found.add(message);
        }
    }
    let document = Document::from(campaign(&found, ""));
    let text = document.render(arguments.format).map_err(Failure::usage)?;
    match &arguments.out {
        None => println!("{text}"),
        Some(path) => std::fs::write(path, text)
            .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?,
    }
    Ok(if found.failed_count > 0 {
        Exit::Failed
    } else if found.failing > 0 {
        Exit::Violated
    } else {
        Exit::Held
    })
}
