//! `sbpl man`: the manual, one page or all of them.

use std::path::PathBuf;

use clap::CommandFactory;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::files;
use crate::diag::Code;

const CODE_UNKNOWN_VERB: Code = Code("E0705");
const CODE_PAGE: Code = Code("E0706");

/// Print the manual page of the command or of one verb, or write all pages to a folder.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The verb; without one, the page of `sbpl` itself.
    verb: Option<String>,
    /// Write every page to this folder, as `sbpl.1`, `sbpl-parse.1` and so on.
    #[arg(long, value_name = "DIR", conflicts_with = "verb")]
    all: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let mut command = super::Command::command();
        command.build();
        if let Some(folder) = &self.all {
            std::fs::create_dir_all(folder).map_err(|error| {
                let message = format!("{}: {}", folder.display(), files::describe(&error));
                Failure::new(Exit::CannotCreate, files::CODE_WRITE, message)
            })?;
            let verbs: Vec<_> = command.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned().collect();
            for page in std::iter::once(command).chain(verbs) {
                let name = page.get_display_name().unwrap_or_else(|| page.get_name()).to_owned();
                files::write_atomically(context, &folder.join(format!("{name}.1")), &roff(page)?, &[])?;
            }
            return Ok(Exit::Fine);
        }
        let page = match &self.verb {
            None => command,
            Some(name) => match command.find_subcommand(name) {
                Some(verb) => verb.clone(),
                None => return Err(Failure::new(Exit::Usage, CODE_UNKNOWN_VERB, format!("no verb called {name:?}"))),
            },
        };
        context.print(roff(page)?);
        Ok(Exit::Fine)
    }
}

fn roff(command: clap::Command) -> Result<Vec<u8>, Box<Failure>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .date("")
        .render(&mut page)
        .map_err(|error| Failure::new(Exit::Internal, CODE_PAGE, format!("manual page: {error}")))?;
    Ok(page)
}
