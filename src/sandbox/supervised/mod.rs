//! Real processes on Linux, each of whose system calls is judged by the decision engine.
//!
//! The kernel hands a call to the supervisor (seccomp user notification); the supervisor reads what the call is about, resolves
//! paths component by component, asks the profile, and does the call itself on the process's behalf. So a name that is swapped
//! between question and deed cheats nobody. [`table`] says what happens to each call, `docs/linux-operations.md` says it to people.
//!
//! Names are macOS-shaped, the tree is the host's: [`Mapping`].
//!
//! **This is a test instrument, not a security boundary.** `docs/linux-operations.md` says why.
//!
//! **Invariants**
//! - What cannot be judged is refused, never let through.
//! - Nothing that a run starts outlives it: a keeper process adopts every orphan and ends with all of them, even when the
//!   supervisor itself is killed.
//! - `unsafe` is in `linux::sys`, `linux::spawn` and `linux::signals` only.

pub mod bpf;
mod handshake;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod linux;
pub mod mapping;
mod session;
pub mod table;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::Cancel;
use super::judge::Judge;
use crate::decide::GraphError;
use crate::diag::Location;
pub use handshake::confine;
pub use mapping::Mapping;
pub use session::Supervised;

/// A program to run.
#[derive(Debug, Clone)]
pub struct Command {
    /// A path, or a name that is searched in `PATH` of the command's environment as `execvp` does.
    pub program: OsString,
    /// Arguments after the program's name.
    pub args: Vec<OsString>,
    /// The environment, as pairs. The library does not read its own: who wants to hand it on says so.
    pub env: Vec<(OsString, OsString)>,
    /// Folder to start in; that of the caller when there is none. Outside of the profile's reach.
    pub cwd: Option<PathBuf>,
    /// Where input and output are.
    pub stdio: Stdio,
    /// After this long everything is killed.
    pub time_limit: Option<Duration>,
    /// About how many processes there may be at a time, never twice as many; who makes one more gets EAGAIN. Without it as many as the system lets the user have.
    pub most_processes: Option<u32>,
    /// Everything is killed when this says so.
    pub cancel: Cancel,
    /// When the profile takes effect.
    pub start: Start,
    /// Whether [`Ended::grants`] is filled.
    pub tells_grants: bool,
}

/// When the profile takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Before the program is executed: that is the first thing to be judged.
    Exec,
    /// When the program asks for it ([`confine`]). Until then nothing is judged: for programs of our own only.
    Handshake,
}

impl Command {
    /// A command without arguments and environment, with the caller's input and output and without time limit.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            stdio: Stdio::Inherit,
            time_limit: None,
            most_processes: None,
            cancel: Cancel::never(),
            start: Start::Exec,
            tells_grants: false,
        }
    }
}

/// Where a command's input and output are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdio {
    /// The caller's own; the command stays in the caller's session and process group, and so at its terminal. While it runs,
    /// signals that would end the caller are the command's.
    Inherit,
    /// Nothing to read; output and complaints are collected, each up to this many bytes, the rest is dropped. The command has a
    /// session of its own and no terminal.
    Capture {
        /// In bytes.
        limit: usize,
    },
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// With this status.
    Exited(i32),
    /// By this signal, as Linux numbers it.
    Signaled(i32),
    /// Never began: the profile refused to execute the program.
    ExecRefused,
    /// Killed at the time limit.
    TimedOut,
    /// Killed because [`Command::cancel`] said so.
    Cancelled,
}

/// What is left of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How it ended.
    pub how: How,
    /// What it printed, when that was captured.
    pub stdout: Vec<u8>,
    /// What it complained, when that was captured.
    pub stderr: Vec<u8>,
    /// What it was allowed, when [`Command::tells_grants`] asks for that: the first few thousand questions, in their order. A question about
    /// a path that was repeated stands once.
    pub grants: Vec<Grant>,
}

/// One allowed question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What was asked.
    pub operation: String,
    /// What it was asked about, as in [`Denial::argument`].
    pub argument: String,
    /// The rule that allowed it, when one of a text did.
    pub rule: Option<Location>,
}

/// One refused question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Of this process.
    pub pid: u32,
    /// Its program, as a path of the model; empty when it cannot be told.
    pub process: String,
    /// The call.
    pub syscall: &'static str,
    /// What was asked.
    pub operation: String,
    /// What it was asked about: a path of the model, an address, a target; empty for operations without.
    pub argument: String,
    /// What the process got, as macOS numbers it.
    pub errno: i32,
    /// Whether macOS would log it (no modifier `no-report`).
    pub reported: bool,
    /// The rule that refused, when one of a text did.
    pub rule: Option<Location>,
}

/// Why no process can be supervised here.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unavailable {
    /// Another system, or a machine whose calls are not known.
    #[error("processes are supervised on Linux only, on x86-64 and aarch64")]
    System,
    /// The kernel has no user notification.
    #[error("the kernel has no seccomp user notification (Linux 5.14 or newer has what is needed)")]
    Kernel,
    /// There is a listener already.
    #[error("this process is itself supervised: a second seccomp listener is not possible (EBUSY)")]
    Nested,
    /// Another call that the supervisor cannot do without.
    #[error("{call} is refused here (error {errno}); a container or a security module forbids it")]
    Forbidden {
        /// The call.
        call: &'static str,
        /// Its error number.
        errno: i32,
    },
    /// `/proc` is missing, or has no lists of children.
    #[error("/proc is not mounted or does not list children")]
    Proc,
}

/// Why a command was not run, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SuperviseError {
    /// Not on this system.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The program cannot be executed, for another reason than the profile.
    #[error("cannot execute the program (error {errno})")]
    Exec {
        /// Linux's error number: 2 when there is no such program.
        errno: i32,
    },
    /// A folder to start in that is none.
    #[error("cannot start in that folder (error {errno})")]
    Folder {
        /// Linux's error number.
        errno: i32,
    },
    /// An argument or a variable with a NUL byte in it.
    #[error("an argument, variable or path holds a NUL byte")]
    Nul,
    /// The profile cannot be asked.
    #[error(transparent)]
    Profile(#[from] GraphError),
    /// A system call of the supervisor itself failed.
    #[error("{call} failed (error {errno})")]
    System {
        /// The call.
        call: &'static str,
        /// Its error number.
        errno: i32,
    },
}

/// Runs commands under one profile.
#[derive(Debug, Clone)]
pub struct Supervisor {
    /// The profile.
    pub judge: Judge,
    /// Names.
    pub mapping: Mapping,
}

impl Supervisor {
    /// Under `judge`, with names of `mapping`.
    pub fn new(judge: Judge, mapping: Mapping) -> Self {
        Self { judge, mapping }
    }

    /// Runs `command` to its end, and ends everything that it has left behind. Each refused question is told as it happens.
    ///
    /// # Errors
    /// Nothing was run, or the supervisor itself failed; in either case nothing is left running.
    pub fn run(&self, command: &Command, denials: &mut dyn FnMut(&Denial)) -> Result<Ended, SuperviseError> {
        run(self, command, denials)
    }
}

/// Whether processes can be supervised here: tried on a process that does nothing.
///
/// # Errors
/// [`Unavailable`] says why not.
pub fn availability() -> Result<(), Unavailable> {
    probe()
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
use linux::{probe, run};

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn run(_: &Supervisor, _: &Command, _: &mut dyn FnMut(&Denial)) -> Result<Ended, SuperviseError> {
    Err(Unavailable::System.into())
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn probe() -> Result<(), Unavailable> {
    Err(Unavailable::System)
}
