//! The `sbpl` command: one file a verb, and what all verbs share.
//!
//! The only room that reads arguments and the environment, opens the user's files, prints, colours and chooses exit
//! statuses. Verbs translate: arguments to a library call, its result to text or JSON. They decide nothing about SBPL.
//!
//! **Invariants:** with `--json` standard output is exactly one JSON document; diagnostics go to standard error; a failed
//! command leaves no half-written file (`files::write_atomically`); every way out is an `Exit`.

mod context;
mod exit;
mod files;
mod host;
mod imports;
mod input;
mod progress;
mod render;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

pub use context::Common;
use context::Context;
use exit::{Exit, Failure};

/// Read, check, format, evaluate, compile, decode, compare and test SBPL, the language of Apple's Seatbelt sandbox.
#[derive(Debug, Parser)]
#[command(name = "sbpl", version, propagate_version = true, max_term_width = 100)]
struct Command {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

/// Every verb; its arguments and its work are in the file of its name. The help lists them in this order: the text, what it means,
/// compiled profiles, processes and probes, tables and manuals.
#[derive(Debug, Subcommand)]
enum Verb {
    Parse(parse::Args),
    Fmt(fmt::Args),
    Lint(lint::Args),
    Rule(rule::Args),
    Expand(expand::Args),
    Decide(decide::Args),
    Coverage(coverage::Args),
    Diff(diff::Args),
    Shim(shim::Args),
    Minimize(minimize::Args),
    Compile(compile::Args),
    Decode(decode::Args),
    Dump(dump::Args),
    Validate(validate::Args),
    Decompile(decompile::Args),
    Selfcheck(selfcheck::Args),
    Exec(exec::Args),
    Preflight(preflight::Args),
    Run(run::Args),
    Plan(plan::Args),
    Bundle(bundle::Args),
    Report(report::Args),
    Vocab(vocab::Args),
    Completions(completions::Args),
    Man(man::Args),
    #[cfg(unix)]
    #[command(hide = true)]
    ProbeDriver(driver::Args),
}

mod blob_file;
mod bundle;
mod changes;
mod clean;
mod codes;
mod compile;
mod completions;
mod coverage;
mod decide;
mod decided;
mod decode;
mod decompile;
mod denials;
mod derived;
mod diff;
#[cfg(unix)]
mod driver;
mod dump;
mod exec;
mod expand;
mod fmt;
mod lint;
mod man;
mod minimize;
mod parallel;
mod parse;
mod plan;
mod preflight;
mod question;
mod report;
mod rule;
mod run;
mod scratch;
mod selfcheck;
mod shim;
mod side;
mod validate;
mod vocab;
mod world;

impl Verb {
    fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        match self {
            Self::Parse(args) => args.run(context),
            Self::Fmt(args) => args.run(context),
            Self::Lint(args) => args.run(context),
            Self::Rule(args) => args.run(context),
            Self::Expand(args) => args.run(context),
            Self::Decide(args) => args.run(context),
            Self::Coverage(args) => args.run(context),
            Self::Diff(args) => args.run(context),
            Self::Shim(args) => args.run(context),
            Self::Minimize(args) => args.run(context),
            Self::Compile(args) => args.run(context),
            Self::Decode(args) => args.run(context),
            Self::Dump(args) => args.run(context),
            Self::Validate(args) => args.run(context),
            Self::Decompile(args) => args.run(context),
            Self::Selfcheck(args) => args.run(context),
            Self::Exec(args) => args.run(context),
            Self::Preflight(args) => args.run(context),
            Self::Run(args) => args.run(context),
            Self::Plan(args) => args.run(context),
            Self::Bundle(args) => args.run(context),
            Self::Report(args) => args.run(context),
            Self::Vocab(args) => args.run(context),
            Self::Completions(args) => args.run(context),
            Self::Man(args) => args.run(context),
            #[cfg(unix)]
            Self::ProbeDriver(args) => args.run(context),
        }
    }
}

/// Runs the command with the process's arguments and streams.
pub fn main() -> ExitCode {
    let outcome = std::panic::catch_unwind(|| run(std::env::args_os()));
    outcome.unwrap_or(Exit::Internal).into()
}

/// The status for arguments that do not parse: a verb may have one of its own.
fn wrong_usage(arguments: &[OsString]) -> Exit {
    let matches = Command::command().ignore_errors(true).try_get_matches_from(arguments);
    match matches.as_ref().ok().and_then(|matches| matches.subcommand_name()) {
        Some("preflight") => Exit::Command(preflight::USAGE),
        #[cfg(unix)]
        Some("probe-driver") => Exit::Command(driver::USAGE),
        _ => Exit::Usage,
    }
}

fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let command = match Command::try_parse_from(&arguments) {
        Ok(command) => command,
        Err(error) => {
            // Help and version are answers, not failures; a reader who has seen enough is none either.
            let exit = if error.use_stderr() { wrong_usage(&arguments) } else { Exit::Fine };
            return match error.print().and_then(|()| std::io::stdout().flush()) {
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Exit::CannotWrite,
                _ => exit,
            };
        }
    };
    let mut context = match Context::new(command.common) {
        Ok(context) => context,
        Err(failure) => return render::report_without_context(&failure),
    };
    let outcome = command.verb.run(&mut context);
    context.finish(outcome)
}
