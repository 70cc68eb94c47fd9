//! `sbpl probe-driver`: the probe programs, for backends that run real processes.

use std::io::{self, BufWriter, Write};

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::sandbox::driver::{Kind, Probe, Request, exit};

/// Status of wrong usage: the drivers have one of their own.
pub(super) const USAGE: u8 = exit::USAGE;

/// Try one operation and say how it went. Started by `sbpl run`; not for use by hand.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which probe.
    #[arg(value_parser = kind)]
    kind: Kind,
    /// Path, address or name that it is tried on.
    target: Option<String>,
    /// Name of the operation, for the report.
    #[arg(long, value_name = "OPERATION")]
    op: Option<String>,
    /// Call on a file's metadata.
    #[arg(long, value_name = "CALL")]
    syscall: Option<String>,
    /// Arguments of the program to execute, or the mode to set.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    payload: Vec<String>,
}

fn kind(name: &str) -> Result<Kind, String> {
    Kind::named(name).ok_or_else(|| format!("known: {}", Kind::names().collect::<Vec<_>>().join(", ")))
}

impl Args {
    pub(super) fn run(self, _context: &mut Context) -> Result<Exit, Box<Failure>> {
        if self.kind.needs_target() && self.target.is_none() {
            return Ok(Exit::Command(USAGE));
        }
        let request = Request {
            kind: self.kind,
            target: self.target.unwrap_or_default(),
            operation: self.op,
            syscall: self.syscall,
            payload: self.payload,
        };
        let probe = Probe::prepare(&request);
        let mut out = BufWriter::new(io::stdout().lock());
        let status = probe.run(&mut out, &mut io::stderr().lock());
        Ok(Exit::Command(if out.flush().is_ok() { status } else { exit::OUTPUT_FAILED }))
    }
}
