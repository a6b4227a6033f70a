//! `stormproof man`: manual pages, generated from the definition of the command line.

use std::path::PathBuf;

use super::terminal::{Terminal, outln};
use super::{Done, Exit, Failure, command};

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The folder for the pages; created if it does not exist
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(super) fn execute(arguments: &Arguments, terminal: &Terminal) -> Done {
    let dir = &arguments.dir;
    let written = std::fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(command(), dir));
    written.map_err(|error| {
        Failure::usage(format!(
            "{} can't be written to: {error}: name a folder that you may write to",
            dir.display()
        ))
    })?;
    outln!(terminal, "written: manual pages in {}", dir.display());
    Ok(Exit::Held)
}
