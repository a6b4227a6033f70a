//! `stormproof completions`: scripts that complete commands in a shell.

use std::io;

use clap_complete::{Shell, generate};

use super::{Done, Exit, command};

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn execute(arguments: &Arguments) -> Done {
    generate(arguments.shell, &mut command(), "stormproof", &mut io::stdout());
    Ok(Exit::Held)
}
