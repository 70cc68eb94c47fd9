//! Probe programs: small real programs that try one operation and say how it went (`spec/probe-runner.md` section 2).
//!
//! All of them are the command itself under a hidden verb, so that what is probed with is what was built. A driver first
//! does what must not be confined ([`Probe::prepare`]), is then put under a profile by whoever runs it, and tries its one
//! operation ([`Probe::run`]). It knows no profile and decides nothing: it reports what the system answered.
//!
//! **Invariants:** the exit statuses are those of `spec/probe-runner.md` section 2.3; what a system has no call for is
//! [`exit::NOT_AVAILABLE`] and never a refusal; a probe ends within seconds and waits for every child that it made.

mod files;
mod mac;
mod metadata;
mod network;
mod process;
// Calls that the standard library does not have.
#[allow(unsafe_code)]
mod sys;

use std::io::{self, Write};

use serde_json::Value;

pub(in crate::sandbox) use files::EARLY;
pub use files::mark_fixture;

use super::Action;
use super::seatbelt::{Held, System};
use super::transcript::details_line;

/// Exit statuses of drivers.
pub mod exit {
    /// It worked.
    pub const FINE: u8 = 0;
    /// Refused or failed (probes of services, processes and networks).
    pub const FAILED: u8 = 1;
    /// The file, or the folder that it is opened from, could not be opened.
    pub const OPEN_FAILED: u8 = 2;
    /// Writing to it failed.
    pub const WRITE_FAILED: u8 = 3;
    /// Reading from it failed.
    pub const READ_FAILED: u8 = 4;
    /// Wrong usage.
    pub const USAGE: u8 = 64;
    /// This system has no such call.
    pub const NOT_AVAILABLE: u8 = 69;
    /// Standard output or standard error could not be written.
    pub const OUTPUT_FAILED: u8 = 74;
    /// The program could not be executed.
    pub const EXEC_FAILED: u8 = 127;
}

/// What a driver tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Opens a file for reading and copies it to standard output.
    Read,
    /// Opens a file for appending, makes it if need be, and appends one line.
    Write,
    /// Opens the parent folder and reads the file from there.
    ReadAt,
    /// Opens the parent folder and appends to the file from there.
    WriteAt,
    /// One call on the metadata of a file.
    Metadata,
    /// Asks whether a file exists.
    Test,
    /// Lists a folder.
    Search,
    /// Reads an extended attribute.
    XattrRead,
    /// Writes an extended attribute.
    XattrWrite,
    /// Becomes another program.
    Exec,
    /// Makes a child.
    Fork,
    /// Signals a child, which is in the same sandbox.
    Signal,
    /// Connects a TCP or UNIX socket.
    Connect,
    /// Binds a TCP or UNIX socket.
    Bind,
    /// Reads a value of the system by name.
    Sysctl,
    /// Posts a notification.
    Notify,
    /// Looks up a service.
    Mach,
    /// Opens a device service.
    Iokit,
    /// Posts a distributed notification.
    NotifyDistributed,
    /// Asks about a process.
    PidInfo,
    /// Makes a socket to the kernel.
    SystemSocket,
    /// Does nothing but tell whether it is confined.
    Confined,
    /// Asks the oracle what is known beforehand.
    Calibrate,
}

/// Every kind with its name on the command line and whether it needs a target.
const KINDS: [(Kind, &str, bool); 23] = [
    (Kind::Read, "read", true),
    (Kind::Write, "write", true),
    (Kind::ReadAt, "read-at", true),
    (Kind::WriteAt, "write-at", true),
    (Kind::Metadata, "metadata", true),
    (Kind::Test, "test", true),
    (Kind::Search, "search", true),
    (Kind::XattrRead, "xattr-read", true),
    (Kind::XattrWrite, "xattr-write", true),
    (Kind::Exec, "exec", true),
    (Kind::Fork, "fork", false),
    (Kind::Signal, "signal", false),
    (Kind::Connect, "connect", true),
    (Kind::Bind, "bind", true),
    (Kind::Sysctl, "sysctl", true),
    (Kind::Notify, "notify", true),
    (Kind::Mach, "mach", true),
    (Kind::Iokit, "iokit", true),
    (Kind::NotifyDistributed, "notify-distributed", true),
    (Kind::PidInfo, "pidinfo", true),
    (Kind::SystemSocket, "system-socket", true),
    (Kind::Confined, "confined", false),
    (Kind::Calibrate, "calibrate", false),
];

/// The operation that each kind is the usual probe of; the first row of an operation is the one that plans mean.
const OPERATIONS: [(&str, Kind); 25] = [
    ("file-read*", Kind::Read),
    ("file-read-data", Kind::Read),
    ("file-write*", Kind::Write),
    ("file-write-data", Kind::Write),
    ("file-write-create", Kind::Write),
    ("file-read-metadata", Kind::Metadata),
    ("file-write-mode", Kind::Metadata),
    ("file-write-times", Kind::Metadata),
    ("file-write-owner", Kind::Metadata),
    ("file-test-existence", Kind::Test),
    ("file-read-xattr", Kind::XattrRead),
    ("file-write-xattr", Kind::XattrWrite),
    ("process-exec", Kind::Exec),
    ("process-exec*", Kind::Exec),
    ("process-fork", Kind::Fork),
    ("signal", Kind::Signal),
    ("network-outbound", Kind::Connect),
    ("sysctl-read", Kind::Sysctl),
    ("darwin-notification-post", Kind::Notify),
    ("mach-lookup", Kind::Mach),
    ("iokit-open-service", Kind::Iokit),
    ("iokit-open-user-client", Kind::Iokit),
    ("distributed-notification-post", Kind::NotifyDistributed),
    ("process-info-pidinfo", Kind::PidInfo),
    ("system-socket", Kind::SystemSocket),
];

/// Programs that plans name for what is not the usual probe of an operation (`spec/probe-runner.md` sections 1.3 and 2.1). Names of
/// [`KINDS`] may be used too; what is not known leaves the choice to the operation.
const PROGRAMS: [(&str, Kind); 8] = [
    ("sandbox_reader", Kind::Read),
    ("sandbox_writer", Kind::Write),
    ("metadata_runner", Kind::Metadata),
    ("sandbox_mach_probe", Kind::Mach),
    ("mach_probe", Kind::Mach),
    // It looks the service up first, and that is what a profile is asked about.
    ("xpc_probe", Kind::Mach),
    ("sandbox_iokit_probe", Kind::Iokit),
    ("iokit_probe", Kind::Iokit),
];

impl Kind {
    /// The kind called `name`.
    pub fn named(name: &str) -> Option<Self> {
        KINDS.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }

    /// Every name, in the order of the table.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|row| row.1)
    }

    /// Whether it is tried on something.
    pub fn needs_target(self) -> bool {
        KINDS.iter().any(|row| row.0 == self && row.2)
    }

    /// Whether its target can be acquired first and used later.
    pub fn can_hold(self) -> bool {
        matches!(self, Self::Read | Self::Write | Self::Mach)
    }

    /// The kind that a plan means: by its driver, else by its operation.
    pub fn of_action(action: &Action) -> Option<Self> {
        let program = action.driver.as_deref();
        let known = program.and_then(|name| PROGRAMS.iter().find(|row| row.0 == name).map(|row| row.1));
        known.or_else(|| program.and_then(Self::named)).or_else(|| Self::of_operation(&action.operation))
    }

    /// The kind that tries `operation`, as `spec/probe-runner.md` section 2.1 chooses it.
    pub fn of_operation(operation: &str) -> Option<Self> {
        OPERATIONS.iter().find(|row| row.0 == operation).map(|row| row.1)
    }
}

/// What to try, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Which probe.
    pub kind: Kind,
    /// Path, address, or name.
    pub target: String,
    /// Name of the operation, for reports.
    pub operation: Option<String>,
    /// The call of [`Kind::Metadata`]; `lstat` without one.
    pub syscall: Option<String>,
    /// Arguments of [`Kind::Exec`]; mode, in octal, of the calls that change it; selectors of [`Kind::Iokit`], as `0-15`.
    pub payload: Vec<String>,
    /// Whether the target is opened in [`Probe::prepare`]; for kinds that [can hold](Kind::can_hold) it.
    pub early: bool,
}

impl Request {
    /// A request without options.
    pub fn new(kind: Kind, target: impl Into<String>) -> Self {
        Self { kind, target: target.into(), operation: None, syscall: None, payload: Vec::new(), early: false }
    }
}

/// A probe that is ready to be confined.
#[derive(Debug)]
pub struct Probe<'a> {
    request: &'a Request,
    control: Option<process::Control>,
    held: Option<files::Opened>,
    port: Option<Held>,
    system: Option<System>,
}

impl<'a> Probe<'a> {
    /// Does what must happen before the profile is in force: [`Kind::Signal`] signals a child that is not confined, an early
    /// request opens its target.
    pub fn prepare(request: &'a Request) -> Self {
        let control = (request.kind == Kind::Signal).then(process::signal_control);
        let held = match request.kind {
            Kind::Read if request.early => Some(files::open_to_read(&request.target)),
            Kind::Write if request.early => Some(files::open_to_append(&request.target)),
            _ => None,
        };
        let probe = Self { request, control, held, port: None, system: None };
        match System::open(None) {
            Ok(system) => probe.with_system(system),
            Err(_) => probe,
        }
    }

    /// With a library in the place of macOS. An early look-up of a service is made here.
    pub fn with_system(self, system: System) -> Self {
        let early = self.request.kind == Kind::Mach && self.request.early;
        let port = if early { system.acquire(&self.request.target).ok() } else { None };
        Self { system: Some(system), port, ..self }
    }

    /// The macOS, or what stands in for it, that the probe asks.
    pub fn system(&self) -> Option<&System> {
        self.system.as_ref()
    }

    /// Tries it. Contents and details go to `out`, paths and complaints to `err`; the exit status is returned.
    pub fn run(self, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
        let mut report = Report { out, err, system: self.system };
        let Request { kind, target, .. } = self.request;
        let outcome = match kind {
            Kind::Read | Kind::ReadAt => files::read(&mut report, target, *kind == Kind::ReadAt, self.held),
            Kind::Write | Kind::WriteAt => files::write(&mut report, target, *kind == Kind::WriteAt, self.held),
            Kind::Metadata => metadata::run(&mut report, self.request),
            Kind::Test => files::test(&mut report, target),
            Kind::Search => files::search(&mut report, target),
            Kind::XattrRead => files::read_attribute(&mut report, target),
            Kind::XattrWrite => files::write_attribute(&mut report, target),
            Kind::Exec => process::exec(&mut report, self.request),
            Kind::Fork => process::fork(&mut report),
            Kind::Signal => process::signal(&mut report, self.control),
            Kind::Connect => network::connect(&mut report, target),
            Kind::Bind => network::bind(&mut report, target),
            Kind::Sysctl
            | Kind::Notify
            | Kind::NotifyDistributed
            | Kind::Mach
            | Kind::Iokit
            | Kind::PidInfo
            | Kind::SystemSocket
            | Kind::Confined
            | Kind::Calibrate => mac::run(&mut report, self.request, self.port),
        };
        let flushed = outcome.and_then(|status| report.out.flush().and(report.err.flush()).map(|()| status));
        flushed.unwrap_or(exit::OUTPUT_FAILED)
    }
}

/// Where a probe writes. Errors of these streams, and only those, are errors of a probe's function.
struct Report<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    system: Option<System>,
}

impl Report<'_> {
    fn complain(&mut self, what: &str, error: &io::Error) -> io::Result<()> {
        writeln!(self.err, "{what}: {}", words(error))
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.err, "{line}")
    }

    fn details(&mut self, details: &Value) -> io::Result<()> {
        writeln!(self.out, "{}", details_line(details))
    }
}

/// The system's words for an error, without the Rust part `(os error N)`.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// The status for a call that worked or failed.
fn status(outcome: &io::Result<()>) -> u8 {
    if outcome.is_ok() { exit::FINE } else { exit::FAILED }
}

fn errno(error: &io::Error) -> Option<i32> {
    error.raw_os_error()
}

#[cfg(test)]
mod tests;
