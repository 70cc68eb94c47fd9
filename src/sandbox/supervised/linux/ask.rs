//! Questions to the profile: requests of a process about a file, an address, a process.
//!
//! Requests are closed: the processes of a run have no entitlements, no extensions and no attribute of Apple's.
//!
//! **Invariants:** an operation that the target does not have is not asked; an answer that is not *allow* refuses.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::sync::mpsc::SyncSender;

use super::memory::Task;
use super::permits::Permits;
use super::sys::{self, Errno, Sys};
use super::walk::{Object, Walked};
use crate::decide::{Address, Answer, Attribute, Request, Value};
use crate::sandbox::judge::{Court, Ruling};
use crate::sandbox::supervised::{Denial, Grant, Mapping};
use crate::vocab::{FilterId, OpId, Target};

/// Numbers of the filters that requests give.
#[derive(Debug)]
pub(super) struct Filters {
    vnode_type: Option<FilterId>,
    file_mode: Option<FilterId>,
    device: [Option<FilterId>; 2],
    process_path: Option<FilterId>,
    uid: Option<FilterId>,
    pub(super) xattr: Option<FilterId>,
    pub(super) target: Option<FilterId>,
    pub(super) signal_number: Option<FilterId>,
    pub(super) socket: [Option<FilterId>; 3],
    pub(super) local: Option<FilterId>,
    pub(super) remote: Option<FilterId>,
    pub(super) sysctl_name: Option<FilterId>,
}

/// Operations that are asked about paths often; others are looked up by name.
#[derive(Debug)]
pub(super) struct Operations {
    metadata: Option<OpId>,
}

/// Most allowed questions that are told of one command.
const MOST_GRANTS: usize = 4096;

/// Who asks.
pub(super) struct Asker<'a> {
    pub(super) court: &'a Court<'a>,
    pub(super) target: &'static Target,
    pub(super) mapping: &'a Mapping,
    pub(super) filters: Filters,
    operations: Operations,
    user: u16,
    denials: SyncSender<Denial>,
    refused: Cell<u64>,
    /// What was allowed, for who wants to know.
    grants: Option<RefCell<Vec<Grant>>>,
    permits: Permits,
    /// Questions about a path have nothing to them but the path and what is there.
    impersonal: bool,
}

/// What a question is about, for the report.
pub(super) struct Question<'q> {
    pub(super) task: Task,
    pub(super) syscall: &'static str,
    pub(super) operation: &'q str,
}

/// What is asked about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// What exists has its own kind.
    Existing,
    /// Something of this kind (`S_IFREG` …) and mode is about to be made.
    New(u32),
}

impl<'a> Asker<'a> {
    pub(super) fn new(
        court: &'a Court<'a>,
        target: &'static Target,
        mapping: &'a Mapping,
        denials: SyncSender<Denial>,
        tells_grants: bool,
    ) -> Self {
        let named = |name| target.filter_named(name);
        let filters = Filters {
            vnode_type: named("vnode-type"),
            file_mode: named("file-mode"),
            device: [named("device-major"), named("device-minor")],
            process_path: named("process-path"),
            uid: named("uid"),
            xattr: named("xattr"),
            target: named("target"),
            signal_number: named("signal-number"),
            socket: [named("socket-domain"), named("socket-type"), named("socket-protocol")],
            local: named("local"),
            remote: named("remote"),
            sysctl_name: named("sysctl-name"),
        };
        let operations = Operations { metadata: target.operation_named("file-read-metadata") };
        // Larger ones do not fit the filter's values; they are told apart from root all the same.
        let user = u16::try_from(sys::own_ids().0).unwrap_or(u16::MAX);
        let impersonal = !filters.process_path.is_some_and(|filter| court.may_test(filter));
        let (refused, permits) = (Cell::new(0), Permits::default());
        let grants = tells_grants.then(RefCell::default);
        Self { court, target, mapping, filters, operations, user, denials, refused, grants, permits, impersonal }
    }

    /// What was allowed, in the order of the questions; a question about a path that was repeated stands once.
    pub(super) fn into_grants(self) -> Vec<Grant> {
        self.grants.map(RefCell::into_inner).unwrap_or_default()
    }

    /// How many questions were refused so far.
    pub(super) fn refused(&self) -> u64 {
        self.refused.get()
    }

    /// Asks `operation` with these values.
    pub(super) fn ask(&self, question: &Question<'_>, values: Vec<(FilterId, Value)>, argument: &[u8]) -> Sys<()> {
        match self.target.operation_named(question.operation) {
            Some(operation) => self.ask_operation(question, operation, values, argument),
            None => Ok(()),
        }
    }

    fn ask_operation(
        &self,
        question: &Question<'_>,
        operation: OpId,
        values: Vec<(FilterId, Value)>,
        argument: &[u8],
    ) -> Sys<()> {
        let mut request = Request::new(operation);
        request.closed = true;
        request.values.extend(values.into_iter().map(|(filter, value)| (Attribute::Filter(filter), value)));
        if let Some(uid) = self.filters.uid {
            request.values.push((Attribute::Filter(uid), Value::number(self.user)));
        }
        // The program's name costs a system call, and next to no profile asks for it.
        if let Some(filter) = self.filters.process_path
            && self.court.may_test(filter)
        {
            request.values.push((Attribute::Filter(filter), Value::string(self.program(question.task))));
        }
        let Some(ruling) = self.refusal(&request, argument) else { return Ok(()) };
        self.refused.set(self.refused.get() + 1);
        let denial = Denial {
            pid: question.task.group().unwrap_or(question.task.thread),
            process: String::from_utf8_lossy(&self.program(question.task)).into_owned(),
            syscall: question.syscall,
            operation: self.target.operation(operation).name.to_owned(),
            argument: String::from_utf8_lossy(argument).into_owned(),
            errno: ruling.errno,
            reported: ruling.reported,
            rule: ruling.rule,
        };
        let pid = denial.pid;
        // Nobody listens any more when the caller's thread is gone, and then the run ends soon.
        let _ = self.denials.send(denial);
        if let Some(signal) = ruling.signal {
            sys::send_signal(pid as i32, linux_signal(signal));
        }
        Err(Errno(linux_errno(ruling.errno)))
    }

    fn refusal(&self, request: &Request, argument: &[u8]) -> Option<Ruling> {
        let Some(grants) = &self.grants else { return self.court.refusal(request) };
        let ruling = self.court.ask(request);
        if ruling.answer != Answer::Allow {
            return Some(ruling);
        }
        let mut grants = grants.borrow_mut();
        if grants.len() < MOST_GRANTS {
            grants.push(Grant {
                operation: self.target.operation(request.operation).name.to_owned(),
                argument: String::from_utf8_lossy(argument).into_owned(),
                rule: ruling.rule,
            });
        }
        None
    }

    fn program(&self, task: Task) -> Vec<u8> {
        task.program().map(|host| self.mapping.model_of(&host)).unwrap_or_default()
    }

    /// Asks about the links on the way to `walked`, then `operation` about where it ends. Things without a name (pipes,
    /// deleted files) are the task's already: nothing is asked.
    pub(super) fn ask_path(
        &self,
        question: &Question<'_>,
        walked: &Walked,
        kind: Kind,
        more: Vec<(FilterId, Value)>,
    ) -> Sys<()> {
        self.ask_links(question, walked)?;
        if !walked.is_named() {
            return Ok(());
        }
        let Some(operation) = self.target.operation_named(question.operation) else { return Ok(()) };
        let path = device_name(&walked.model);
        let (mode, device) = match (kind, &walked.object) {
            (Kind::New(mode), _) => (mode, None),
            (Kind::Existing, Some(object)) => (object.stat.st_mode, device_of(object)),
            (Kind::Existing, None) => (libc::S_IFREG, None),
        };
        if !self.impersonal || !more.is_empty() {
            return self.ask_file(question, operation, &path, mode, device, more);
        }
        self.permits
            .allows(operation, mode, device, &path, || self.ask_file(question, operation, &path, mode, device, more))
    }

    /// Asks about a path and what is there, or will be.
    fn ask_file(
        &self,
        question: &Question<'_>,
        operation: OpId,
        path: &[u8],
        mode: u32,
        device: Option<(u32, u32)>,
        mut more: Vec<(FilterId, Value)>,
    ) -> Sys<()> {
        more.push((crate::decide::PATH, Value::string(path)));
        if let Some(filter) = self.filters.vnode_type {
            more.push((filter, Value::number(vnode_type(mode, device))));
        }
        if let Some(filter) = self.filters.file_mode {
            more.push((filter, Value::number((mode & 0o7777) as u16)));
        }
        if let Some((major, minor)) = device {
            for (filter, number) in self.filters.device.into_iter().zip([major, minor]) {
                if let (Some(filter), Ok(number)) = (filter, u16::try_from(number)) {
                    more.push((filter, Value::number(number)));
                }
            }
        }
        self.ask_operation(question, operation, more, path)
    }

    /// Asks for the metadata of each link on the way.
    pub(super) fn ask_links(&self, question: &Question<'_>, walked: &Walked) -> Sys<()> {
        let Some(metadata) = self.operations.metadata else { return Ok(()) };
        for link in &walked.links {
            let ask = || self.ask_link(question, metadata, link);
            match self.impersonal {
                // A link that is asked about for itself has permissions besides.
                true => self.permits.allows(metadata, libc::S_IFLNK, None, link, ask)?,
                false => ask()?,
            }
        }
        Ok(())
    }

    fn ask_link(&self, question: &Question<'_>, metadata: OpId, link: &[u8]) -> Sys<()> {
        let mut values = vec![(crate::decide::PATH, Value::string(link))];
        if let Some(filter) = self.filters.vnode_type {
            values.push((filter, Value::number(vnode_type(libc::S_IFLNK, None))));
        }
        self.ask_operation(question, metadata, values, link)
    }

    /// Asks about one end of a connection.
    pub(super) fn ask_address(
        &self,
        question: &Question<'_>,
        end: Option<FilterId>,
        address: Address,
        mut more: Vec<(FilterId, Value)>,
    ) -> Sys<()> {
        if let Some(filter) = end {
            more.push((filter, Value::Address(address)));
        }
        self.ask(question, more, address.to_string().as_bytes())
    }
}

/// macOS calls the terminals of windows `/dev/ttysNNN`.
fn device_name(model: &[u8]) -> Cow<'_, [u8]> {
    let number =
        model.strip_prefix(b"/dev/pts/").and_then(|number| std::str::from_utf8(number).ok()?.parse::<u32>().ok());
    match number {
        Some(number) => format!("/dev/ttys{number:03}").into_bytes().into(),
        None => model.into(),
    }
}

fn device_of(object: &Object) -> Option<(u32, u32)> {
    matches!(object.kind(), libc::S_IFCHR | libc::S_IFBLK).then(|| sys::device(object.stat.st_rdev))
}

/// Values of `vnode-type`, as macOS numbers them. Linux's terminals have device major 4, 5 and 136 to 143.
fn vnode_type(mode: u32, device: Option<(u32, u32)>) -> u16 {
    match (mode & libc::S_IFMT, device) {
        (libc::S_IFDIR, _) => 2,
        (libc::S_IFBLK, _) => 3,
        (libc::S_IFCHR, Some((4 | 5 | 136..=143, _))) => u16::MAX,
        (libc::S_IFCHR, _) => 4,
        (libc::S_IFLNK, _) => 5,
        (libc::S_IFSOCK, _) => 6,
        (libc::S_IFIFO, _) => 7,
        _ => 1,
    }
}

/// Linux's number of an error that macOS numbers otherwise; below 35 the two agree but for EDEADLK.
fn linux_errno(mac: i32) -> i32 {
    match mac {
        11 => libc::EDEADLK,
        1..=34 => mac,
        35 => libc::EAGAIN,
        36 => libc::EINPROGRESS,
        37 => libc::EALREADY,
        45 | 102 => libc::EOPNOTSUPP,
        48 => libc::EADDRINUSE,
        49 => libc::EADDRNOTAVAIL,
        51 => libc::ENETUNREACH,
        54 => libc::ECONNRESET,
        57 => libc::ENOTCONN,
        60 => libc::ETIMEDOUT,
        61 => libc::ECONNREFUSED,
        62 => libc::ELOOP,
        63 => libc::ENAMETOOLONG,
        64 => libc::EHOSTDOWN,
        65 => libc::EHOSTUNREACH,
        66 => libc::ENOTEMPTY,
        69 => libc::EDQUOT,
        77 => libc::ENOLCK,
        78 => libc::ENOSYS,
        _ => libc::EPERM,
    }
}

/// Signals that the two systems number differently: macOS's number and Linux's.
const SIGNALS: [(i32, i32); 12] = [
    (10, libc::SIGBUS),
    (12, libc::SIGSYS),
    (16, libc::SIGURG),
    (17, libc::SIGSTOP),
    (18, libc::SIGTSTP),
    (19, libc::SIGCONT),
    (20, libc::SIGCHLD),
    (23, libc::SIGIO),
    (30, libc::SIGUSR1),
    (31, libc::SIGUSR2),
    (7, libc::SIGKILL),
    (29, libc::SIGPWR),
];

/// Linux's number of a signal that macOS numbers.
fn linux_signal(mac: i32) -> i32 {
    SIGNALS.iter().find(|(known, _)| *known == mac).map_or(mac, |(_, linux)| *linux)
}

/// macOS's number of a signal that Linux numbers.
pub(super) fn mac_signal(linux: i32) -> i32 {
    SIGNALS.iter().rev().skip(2).find(|(_, known)| *known == linux).map_or(linux, |(mac, _)| *mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_go_both_ways() {
        for signal in [libc::SIGKILL, libc::SIGUSR1, libc::SIGUSR2, libc::SIGTERM, libc::SIGSTOP, libc::SIGCHLD] {
            assert_eq!(linux_signal(mac_signal(signal)), signal);
        }
        assert_eq!(mac_signal(libc::SIGUSR1), 30);
    }

    #[test]
    fn terminals_have_the_names_of_macos() {
        assert_eq!(device_name(b"/dev/pts/3").as_ref(), b"/dev/ttys003");
        assert_eq!(device_name(b"/dev/pts/ptmx").as_ref(), b"/dev/pts/ptmx");
    }

    #[test]
    fn errors_below_35_agree_but_one() {
        assert_eq!(linux_errno(1), libc::EPERM);
        assert_eq!(linux_errno(11), libc::EDEADLK);
        assert_eq!(linux_errno(62), libc::ELOOP);
    }
}
