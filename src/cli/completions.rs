//! `sbpl completions`: completion scripts for shells.

use clap::CommandFactory;
use clap_complete::Shell;

use super::context::Context;
use super::exit::{Exit, Failure};

/// Print a completion script for a shell.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::Command::command(), "sbpl", &mut script);
        context.print(script);
        Ok(Exit::Fine)
    }
}
