//! `stormproof completions`: what shells need to complete commands.

use std::io;

use clap_complete::{Shell, generate};

use super::{Done, Exit, command};

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Of which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn execute(arguments: &Arguments) -> Done {
    generate(arguments.shell, &mut command(), "stormproof", &mut io::stdout());
    Ok(Exit::Held)
}
