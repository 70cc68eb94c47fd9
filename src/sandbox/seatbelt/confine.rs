//! A process puts itself under a profile: apply, say how it went, ask the oracle, go on (`spec/probe-runner.md` sections 2.2
//! to 2.4). This is what a probe program does between its preparation and its one operation.

use std::io::{self, Write};

use super::check::{Question, ask};
use super::system::{Applied, System};
use crate::sandbox::transcript::{ApplyMarker, err_class};

/// What to put in force, and what to ask before the operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confinement {
    /// Where the profile is from, for reports.
    pub name: String,
    /// Text or blob.
    pub profile: Vec<u8>,
    /// A compiled profile.
    pub is_blob: bool,
    /// Parameters of a text.
    pub parameters: Vec<(String, String)>,
    /// What the oracle is asked once the profile is in force.
    pub question: Option<Question>,
}

/// Exit statuses of a process that could not be confined.
mod status {
    /// The system refused the profile.
    pub(super) const APPLY_FAILED: u8 = 1;
    /// The text is not UTF-8, or holds a NUL.
    pub(super) const BAD_PROFILE: u8 = 66;
    /// There is no such function here.
    pub(super) const NOT_AVAILABLE: u8 = 69;
}

/// Puts this process under the profile, for good. `Some` is an exit status: the process must not go on.
///
/// # Errors
/// Standard error cannot be written, and only that.
pub fn confine(system: &System, confinement: &Confinement, err: &mut dyn Write) -> io::Result<Option<u8>> {
    let pid = std::process::id();
    let applied = if confinement.is_blob {
        system.apply(&confinement.profile)
    } else {
        let Ok(text) = std::str::from_utf8(&confinement.profile) else {
            writeln!(err, "{}: no UTF-8", confinement.name)?;
            return Ok(Some(status::BAD_PROFILE));
        };
        system.init(text, &confinement.parameters)
    };
    let applied = match applied {
        Ok(applied) => applied,
        Err(error) => {
            writeln!(err, "{error}")?;
            return Ok(Some(match error {
                super::CallError::Missing(_) => status::NOT_AVAILABLE,
                super::CallError::Nul(_) => status::BAD_PROFILE,
            }));
        }
    };
    writeln!(err, "{}", marker("apply", &applied, confinement, pid).line())?;
    if applied.rc != 0 {
        match &applied.errbuf {
            Some(words) => writeln!(err, "{} failed: {words}", applied.api)?,
            None => writeln!(err, "{}: {}", applied.api, io::Error::from_raw_os_error(applied.errno))?,
        }
        return Ok(Some(status::APPLY_FAILED));
    }
    writeln!(err, "{}", ApplyMarker { errno: None, ..marker("applied", &applied, confinement, pid) }.line())?;
    if let Some(question) = &confinement.question {
        for callout in ask(system, pid, question, "pre_syscall") {
            writeln!(err, "{}", callout.line())?;
        }
    }
    Ok(None)
}

fn marker(stage: &str, applied: &Applied, confinement: &Confinement, pid: u32) -> ApplyMarker {
    let (class, source) = err_class(applied.api, applied.rc, applied.errno, applied.errbuf.as_deref());
    let is_result = stage == "apply";
    ApplyMarker {
        mode: Some(if confinement.is_blob { "blob" } else { "sbpl" }.to_owned()),
        api: Some(applied.api.to_owned()),
        rc: applied.rc,
        errno: Some(applied.errno),
        errbuf: applied.errbuf.clone().filter(|_| is_result),
        err_class: is_result.then(|| class.to_owned()),
        err_class_source: is_result.then(|| source.to_owned()),
        profile: Some(confinement.name.clone()),
        ..ApplyMarker::new(stage, pid)
    }
}
