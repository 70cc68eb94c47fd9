//! `sbpl probe-driver`: the probe programs, for backends that run real processes.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::files;
use crate::diag::SourceMap;
use crate::sandbox::driver::{Kind, Probe, Request, exit};
use crate::sandbox::seatbelt::{Confinement, System, confine, question};
use crate::sandbox::transcript::ApplyMarker;
use crate::sandbox::{BackendKind, SandboxError, supervised};

/// Status of wrong usage: the drivers have one of their own.
pub(super) const USAGE: u8 = exit::USAGE;

/// Try one operation and say how it went. Started by `sbpl run`; not for use by hand.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Ask the supervisor to be confined before the operation is tried.
    #[arg(long, conflicts_with_all = ["profile", "blob"])]
    confine: bool,
    /// Which probe.
    #[arg(value_parser = kind)]
    kind: Kind,
    /// Path, address or name that it is tried on.
    #[arg(id = "subject", value_name = "TARGET")]
    target: Option<String>,
    /// Name of the operation, for the report.
    #[arg(long, value_name = "OPERATION")]
    op: Option<String>,
    /// Call on a file's metadata.
    #[arg(long, value_name = "CALL")]
    syscall: Option<String>,
    /// Put this process under a profile before the operation: a text.
    #[arg(long, value_name = "FILE", conflicts_with = "blob")]
    profile: Option<PathBuf>,
    /// The same with a compiled profile.
    #[arg(long, value_name = "FILE")]
    blob: Option<PathBuf>,
    /// Open the target before this process is confined.
    #[arg(long)]
    early: bool,
    /// Ask the oracle about OPERATION and the target before it is tried.
    #[arg(long, requires = "op")]
    oracle: bool,
    /// The filter that the target is a value of, for the oracle.
    #[arg(long, value_name = "FILTER")]
    filter: Option<String>,
    /// A library in the place of macOS.
    #[arg(long, value_name = "PATH")]
    system: Option<PathBuf>,
    /// Arguments of the program to execute, or the mode to set.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    payload: Vec<String>,
}

fn kind(name: &str) -> Result<Kind, String> {
    Kind::named(name).ok_or_else(|| format!("known: {}", Kind::names().collect::<Vec<_>>().join(", ")))
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        if self.kind.needs_target() && self.target.is_none() {
            return Ok(Exit::Command(USAGE));
        }
        let confinement = self.confinement(context)?;
        let request = Request {
            kind: self.kind,
            target: self.target.unwrap_or_default(),
            operation: self.op,
            syscall: self.syscall,
            payload: self.payload,
            early: self.early,
        };
        let mut probe = Probe::prepare(&request);
        if let Some(library) = &self.system {
            probe = probe.with_system(System::open(Some(library)).map_err(unavailable)?);
        }
        if let Some(confinement) = confinement {
            let system = probe.system().copied();
            let system = system.map_or_else(|| System::open(None), Ok).map_err(unavailable)?;
            match confine(&system, &confinement, &mut io::stderr().lock()) {
                Ok(None) => {}
                Ok(Some(status)) => return Ok(Exit::Command(status)),
                Err(_) => return Ok(Exit::Command(exit::OUTPUT_FAILED)),
            }
        }
        if self.confine
            && let Some(status) = ask_to_be_confined(&mut io::stderr().lock())
        {
            return Ok(Exit::Command(status));
        }
        let mut out = BufWriter::new(io::stdout().lock());
        let status = probe.run(&mut out, &mut io::stderr().lock());
        Ok(Exit::Command(if out.flush().is_ok() { status } else { exit::OUTPUT_FAILED }))
    }

    /// Reads the profile before anything is confined.
    fn confinement(&self, context: &Context) -> Result<Option<Confinement>, Box<Failure>> {
        let Some(path) = self.profile.as_ref().or(self.blob.as_ref()) else { return Ok(None) };
        let source = files::read(context, path)?;
        let target = self.target.as_deref().unwrap_or_default();
        let asked = self.op.as_deref().filter(|_| self.oracle);
        Ok(Some(Confinement {
            name: path.display().to_string(),
            profile: source.text().to_vec(),
            is_blob: self.blob.is_some(),
            parameters: context.params.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            question: asked.and_then(|operation| question(operation, target, self.filter.as_deref())),
        }))
    }
}

/// The status to end with when there is no supervisor, or nobody to tell.
fn ask_to_be_confined(err: &mut impl Write) -> Option<u8> {
    if let Err(error) = supervised::confine() {
        let told = writeln!(err, "not supervised: {}", files::describe(&error));
        return Some(if told.is_ok() { exit::FAILED } else { exit::OUTPUT_FAILED });
    }
    let told = ["apply", "applied"].iter().try_for_each(|stage| {
        let marker = ApplyMarker::applied(stage, BackendKind::Supervised.name(), std::process::id());
        writeln!(err, "{}", marker.line())
    });
    told.is_err().then_some(exit::OUTPUT_FAILED)
}

fn unavailable(error: SandboxError) -> Box<Failure> {
    Failure::from_diagnostics(Exit::Unavailable, vec![error.to_diagnostic()], SourceMap::new())
}
