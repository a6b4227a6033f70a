//! `stormproof completions`: scripts that complete commands in a shell.

use clap_complete::{Shell, generate};

use super::terminal::Terminal;
use super::{Done, Exit, command};

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn execute(arguments: &Arguments, terminal: &Terminal) -> Done {
    let mut script = Vec::new();
    generate(arguments.shell, &mut command(), "stormproof", &mut script);
    terminal.print(&String::from_utf8_lossy(&script));
    Ok(Exit::Held)
}
