//! What shows that launchd has started this process for a stage: the clean channel is not believed on its word.
//!
//! **Invariants:** a [`Proof`] exists only when everything it says was seen to hold. The nonce is used up by the first who asks.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::system::System;

/// launchd.
const LAUNCHD: u32 = 1;
/// Processes from the worker up to launchd: the shell that leaves the worker's status, and launchd.
const MAX_ANCESTORS: usize = 2;
/// The file in a stage that names its job and holds the nonce.
const NONCE: &str = "nonce";

/// A process that launchd has started for a stage, with no profile on it or above it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// The stage.
    #[serde(skip)]
    root: PathBuf,
    /// What launchd calls the job, in the environment that it gives to it and in the stage.
    service_name: String,
    /// What whoever made the stage put there, so that it knows the answer as its own.
    nonce: String,
    /// The parent, its parent and so on, up to launchd.
    ancestors: Vec<u32>,
    /// What `sandbox_check` said of this process and of each of them.
    sandboxed: bool,
}

/// What a process tells about itself.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Its id.
    pub pid: u32,
    /// Its parent's.
    pub parent: u32,
    /// `XPC_SERVICE_NAME` of its environment.
    pub service_name: Option<&'a str>,
}

/// Puts the nonce of the job called `label` into a stage.
///
/// # Errors
/// It cannot be written, or is there.
pub fn leave_nonce(root: &Path, label: &str, nonce: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    writeln!(options.write(true).create_new(true).mode(0o600).open(root.join(NONCE))?, "{label}\n{nonce}")
}

impl Proof {
    /// Looks for everything that has to hold for a worker of the stage at `root`.
    ///
    /// # Errors
    /// What does not hold, in words.
    pub fn of(system: &System, root: &Path, claim: Claim<'_>) -> Result<Self, String> {
        let (service_name, nonce) = take_nonce(root).map_err(|error| format!("no nonce in the stage: {error}"))?;
        if claim.service_name != Some(&service_name) {
            return Err(format!(
                "launchd calls this job {:?}, the stage {service_name:?}",
                claim.service_name.unwrap_or("nothing")
            ));
        }
        let mut ancestors = vec![claim.parent];
        while let Some(last) = ancestors.last().copied().filter(|last| *last != LAUNCHD) {
            if ancestors.len() == MAX_ANCESTORS {
                return Err(format!("process {last}, which is not launchd, is above the shell of the stage"));
            }
            match system.parent_of(last).map_err(|error| error.to_string())? {
                Ok(parent) => ancestors.push(parent),
                Err(number) => return Err(format!("the parent of process {last} is not known (errno {number})")),
            }
        }
        for pid in ancestors.iter().copied().filter(|pid| *pid != LAUNCHD).chain([claim.pid]) {
            match system.is_sandboxed(pid).map_err(|error| error.to_string())?.rc {
                0 => {}
                1 => return Err(format!("process {pid} has a profile")),
                rc => {
                    return Err(format!("whether process {pid} has a profile is not known (sandbox_check gave {rc})"));
                }
            }
        }
        Ok(Self { root: root.to_owned(), service_name, nonce, ancestors, sandboxed: false })
    }

    /// The stage.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// Label and nonce of a stage; a nonce is there once.
fn take_nonce(root: &Path) -> io::Result<(String, String)> {
    const LIMIT: u64 = 1024;
    let path = root.join(NONCE);
    let mut text = String::new();
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(&path)?;
    let (data, stage) = (file.metadata()?, fs::symlink_metadata(root)?);
    if !data.is_file() || data.uid() != stage.uid() || data.mode() & 0o077 != 0 || stage.mode() & 0o077 != 0 {
        return Err(io::Error::from(io::ErrorKind::PermissionDenied));
    }
    file.take(LIMIT).read_to_string(&mut text)?;
    fs::remove_file(&path)?;
    let mut lines = text.lines().map(str::to_owned);
    lines.next().zip(lines.next()).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}
