//! What a request knows, as options: the same for every verb that asks something.

use std::path::PathBuf;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::world;
use crate::decide::{PATH, Request, RequestError, World, operation_named};
use crate::diag::{Code, SourceMap};
use crate::vocab::Target;

const CODE_NO_PATH: Code = Code("E0747");

/// What is known besides the operation.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Question {
    /// Path as a program gives it: links are followed and each one on the way is asked about.
    #[arg(long, value_name = "PATH")]
    pub(super) path: Option<String>,
    /// What is known, e.g. `global-name=com.example`, `remote=tcp:localhost:22`, `vnode-type=DIRECTORY`, `entitlement=NAME=VALUE`,
    /// `variable=HOME=/Users/me`; FILTER= is known to be absent. May be repeated; `path=` is taken as it is, without links.
    #[arg(long = "arg", value_name = "FILTER=VALUE")]
    arguments: Vec<String>,
    /// What is not given is absent, not unknown.
    #[arg(long)]
    absent: bool,
    /// Links and case of the file system and values of pattern variables, as JSON; without it what every macOS 14 has.
    #[arg(long, value_name = "FILE.json")]
    world: Option<PathBuf>,
    /// Follow a link as last component, whatever the operation.
    #[arg(long)]
    follow: bool,
    /// Judge a link as last component itself.
    #[arg(long, conflicts_with = "follow")]
    no_follow: bool,
}

/// A request that is none, as wrong usage.
pub(super) fn usage(error: &RequestError) -> Box<Failure> {
    Failure::from_diagnostics(Exit::Usage, vec![error.diagnostic()], SourceMap::new())
}

impl Question {
    /// The world that paths are walked in.
    ///
    /// # Errors
    /// A file that cannot be read, or is no world.
    pub(super) fn world(&self, context: &Context) -> Result<World, Box<Failure>> {
        world::read(context, self.world.as_deref())
    }

    /// The question about `operation`.
    ///
    /// # Errors
    /// A name that is none, a value of the wrong kind, a path for an operation that takes none.
    pub(super) fn request(&self, target: &Target, operation: &str, world: &World) -> Result<Request, Box<Failure>> {
        let operation = operation_named(target, operation).map_err(|error| usage(&error))?;
        let mut request = Request::new(operation);
        request.closed = self.absent;
        for argument in &self.arguments {
            request.add_argument(target, argument).map_err(|error| usage(&error))?;
        }
        request.take_variables(world);
        if self.path.is_some() && !target.accepts(operation, PATH) {
            let message = format!("{} takes no path", target.operation(operation).name);
            return Err(Failure::new(Exit::Usage, CODE_NO_PATH, message)
                .with_help("give what it takes with --arg FILTER=VALUE"));
        }
        Ok(request)
    }

    /// Whether a link as last component is followed; `None`: as the operation's usual call does.
    pub(super) fn follow(&self) -> Option<bool> {
        match (self.follow, self.no_follow) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }
}
