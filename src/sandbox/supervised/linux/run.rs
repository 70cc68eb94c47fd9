//! One run: the loop that serves calls until the command has ended and everything it left behind is gone.

use std::cell::Cell;
use std::collections::HashMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use super::ask::{Asker, Question};
use super::kept::Kept;
use super::memory::Task;
use super::notify::{Listener, Notification, Reply};
use super::spawn::{Report, Started};
use super::sys::{self, Errno, Sys};
use super::walk::{Walked, Walker, Way};
use super::worker::Workers;
use crate::sandbox::judge::Court;
use crate::sandbox::supervised::table::{Call, Machine, Treatment, call};
use crate::sandbox::supervised::{
    Command, Denial, Ended, How, Mapping, Start, Stdio, SuperviseError, Supervisor, handshake,
};

/// A program on its way into a process: device and number of files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Executing {
    /// What was judged.
    pub(super) judged: (u64, u64),
    /// What the process was until then.
    pub(super) before: Option<(u64, u64)>,
}

/// What a run knows.
pub(super) struct Run<'a> {
    pub(super) asker: Asker<'a>,
    pub(super) mapping: &'a Mapping,
    /// Before the listener, which ends with the last of them.
    pub(super) workers: Workers,
    pub(super) listener: Arc<Listener>,
    pub(super) keeper: u32,
    pub(super) own: u32,
    pub(super) kept: Kept,
    /// Programs that were judged, and not yet seen in their process. By process.
    pub(super) executing: HashMap<u32, Executing>,
    /// The profile has refused to execute a program.
    pub(super) exec_refused: bool,
    /// Most processes of the run at a time, and how many there may be by now.
    pub(super) most_processes: Option<u32>,
    pub(super) processes: u32,
    /// The program has not asked to be confined yet.
    waiting: bool,
    calls: Vec<Option<&'static Call>>,
}

/// One call that is served.
#[derive(Clone, Copy)]
pub(super) struct Served {
    pub(super) id: u64,
    pub(super) task: Task,
    pub(super) call: &'static Call,
    pub(super) args: [u64; 6],
}

impl Served {
    pub(super) fn question<'q>(&self, operation: &'q str) -> Question<'q> {
        Question { task: self.task, syscall: self.call.name, operation }
    }

    /// An argument that is an `int`.
    pub(super) fn int(&self, argument: usize) -> i32 {
        self.arg(argument) as u32 as i32
    }

    pub(super) fn arg(&self, argument: usize) -> u64 {
        self.args.get(argument).copied().unwrap_or(0)
    }
}

/// Collects what comes out of a pipe.
struct Sink {
    from: OwnedFd,
    bytes: Vec<u8>,
    limit: usize,
    open: bool,
}

impl Sink {
    fn drain(&mut self) {
        let mut buffer = [0; 65536];
        match sys::read(&self.from, &mut buffer) {
            Ok(0) | Err(_) => self.open = false,
            Ok(read) => {
                let room = self.limit.saturating_sub(self.bytes.len());
                self.bytes.extend_from_slice(buffer.get(..read.min(room)).unwrap_or_default());
            }
        }
    }
}

fn watched(fd: i32, wanted: bool) -> libc::pollfd {
    libc::pollfd { fd: if wanted { fd } else { -1 }, events: libc::POLLIN, revents: 0 }
}

impl<'a> Run<'a> {
    pub(super) fn new(
        supervisor: &'a Supervisor,
        court: &'a Court<'a>,
        machine: Machine,
        keeper: i32,
        listener: OwnedFd,
        denials: SyncSender<Denial>,
    ) -> Self {
        let mapping = &supervisor.mapping;
        Self {
            asker: Asker::new(court, supervisor.judge.target(), mapping, denials),
            mapping,
            workers: Workers::default(),
            listener: Arc::new(Listener::new(listener)),
            keeper: keeper as u32,
            own: sys::own_pid(),
            kept: Kept::default(),
            executing: HashMap::new(),
            exec_refused: false,
            most_processes: None,
            processes: 1,
            waiting: false,
            calls: (0..512).map(|number| call(machine, number)).collect(),
        }
    }

    /// Serves until the end.
    pub(super) fn serve(mut self, mut started: Started, command: &Command) -> Result<Ended, SuperviseError> {
        let system = |call: &'static str| move |Errno(errno)| SuperviseError::System { call, errno };
        let timer = command.time_limit.map(sys::timer).transpose().map_err(system("timerfd_create"))?;
        let limit = match command.stdio {
            Stdio::Capture { limit } => limit,
            Stdio::Inherit => 0,
        };
        let mut sinks: Vec<Sink> = started
            .output
            .take()
            .into_iter()
            .flatten()
            .map(|from| Sink { from, bytes: Vec::new(), limit, open: true })
            .collect();
        self.waiting = command.start == Start::Handshake;
        self.most_processes = command.most_processes;
        // Gone once the command has ended.
        let mut run = Some(self);
        let (mut calling, mut exec_refused, mut gone) = (true, false, false);
        let mut not_executed = None;
        let mut how = None;
        started.go().map_err(system("write"))?;
        while !gone || sinks.iter().any(|sink| sink.open) {
            let mut fds = vec![
                watched(run.as_ref().map_or(-1, |run| run.listener.raw()), calling),
                watched(started.reports.as_raw_fd(), !gone),
                watched(timer.as_ref().map_or(-1, AsRawFd::as_raw_fd), run.is_some()),
                watched(command.cancel.descriptor().unwrap_or(-1), run.is_some()),
            ];
            fds.extend(sinks.iter().map(|sink| watched(sink.from.as_raw_fd(), sink.open)));
            sys::poll(&mut fds).map_err(system("poll"))?;
            let ready = |place: usize| fds.get(place).is_some_and(|fd| fd.revents != 0);
            if ready(0) {
                // Without input it is at its end: nobody is left who could call.
                calling = fds.first().is_some_and(|fd| fd.revents & libc::POLLIN != 0);
                if let Some(run) = run.as_mut().filter(|_| calling) {
                    run.serve_one().map_err(system("seccomp notify"))?;
                }
            }
            if ready(1) {
                match started.report().map_err(system("read"))? {
                    Some(Report::NotExecuted(errno)) => not_executed = Some(errno),
                    Some(Report::Exited(status)) => how = how.or(Some(How::Exited(status))),
                    Some(Report::Signaled(signal)) => how = how.or(Some(How::Signaled(signal))),
                    None => gone = true,
                }
            }
            if ready(2) {
                how = how.or(Some(How::TimedOut));
            }
            if ready(3) {
                how = how.or(Some(How::Cancelled));
            }
            for (place, sink) in sinks.iter_mut().enumerate() {
                if ready(4 + place) {
                    sink.drain();
                }
            }
            if (how.is_some() || gone)
                && let Some(ended) = run.take()
            {
                exec_refused = ended.exec_refused;
                // Closes the listener: no call of theirs succeeds any more, forks least of all.
                drop(ended);
                started.end();
            }
        }
        let mut output = sinks.into_iter().map(|sink| sink.bytes);
        let (stdout, stderr) = (output.next().unwrap_or_default(), output.next().unwrap_or_default());
        let how = match (how, not_executed) {
            (Some(How::Exited(_)), Some(_)) if exec_refused => How::ExecRefused,
            (Some(How::Exited(_)), Some(errno)) => return Err(SuperviseError::Exec { errno }),
            (Some(how), _) => how,
            (None, _) => return Err(SuperviseError::System { call: "waitid", errno: libc::ECHILD }),
        };
        Ok(Ended { how, stdout, stderr })
    }

    fn serve_one(&mut self) -> Sys<()> {
        let Some(notification) = self.listener.receive()? else { return Ok(()) };
        let reply = self.reply(&notification);
        self.listener.answer(notification.id, reply);
        Ok(())
    }

    fn reply(&mut self, notification: &Notification) -> Sys<Reply> {
        let found = self.calls.get(notification.number as usize).copied().flatten();
        // The filter is made of the same table.
        let call = found.ok_or(Errno(libc::ENOSYS))?;
        let task = Task { thread: notification.thread };
        let served = Served { id: notification.id, task, call, args: notification.args };
        if self.waiting {
            self.waiting = !handshake::is_question(call.name, served.int(0), served.int(1));
            return Ok(if self.waiting { Reply::Continue } else { Reply::Value(0) });
        }
        if !self.executing.is_empty() {
            self.check_programs(task)?;
        }
        match call.treatment {
            Treatment::Done(handler) | Treatment::Judged(handler) => self.handle(handler, &served),
            Treatment::Absent => Err(Errno(libc::ENOSYS)),
            Treatment::Refused => Err(Errno::PERM),
            Treatment::Ignored => Ok(Reply::Value(0)),
        }
    }

    /// The caller is still the one whose memory was read.
    pub(super) fn still(&self, served: &Served) -> Sys<()> {
        if self.listener.is_valid(served.id) { Ok(()) } else { Err(Errno(libc::EINTR)) }
    }

    fn walker(&self, task: Task) -> Walker<'_> {
        Walker {
            task,
            mapping: self.mapping,
            hidden: [self.keeper, self.own],
            kept: &self.kept,
            through: Cell::new(None),
        }
    }

    /// Reads a path and walks it.
    pub(super) fn walk(&self, served: &Served, folder: i32, path: u64, follow: bool) -> Sys<Walked> {
        let path = served.task.string(path)?;
        self.still(served)?;
        self.walk_text(served, folder, &path, follow)
    }

    pub(super) fn walk_text(&self, served: &Served, folder: i32, path: &[u8], follow: bool) -> Sys<Walked> {
        self.find(served, folder, path, Way { follow, look: false })
    }

    /// As [`Run::walk_text`], for who only looks.
    pub(super) fn look_text(&self, served: &Served, folder: i32, path: &[u8], follow: bool) -> Sys<Walked> {
        self.find(served, folder, path, Way { follow, look: true })
    }

    fn find(&self, served: &Served, folder: i32, path: &[u8], way: Way) -> Sys<Walked> {
        let walker = self.walker(served.task);
        let walked = walker.walk(folder, path, way)?;
        // What another process holds is information about it, whatever the path behind says.
        if let Some(process) = walker.through.get() {
            self.still(served)?;
            self.ask_process(served, "process-info-pidinfo", process)?;
        }
        Ok(walked)
    }

    /// As [`Run::walk`]; with `AT_EMPTY_PATH` an empty path means the descriptor itself.
    pub(super) fn walk_at(&self, served: &Served, folder: i32, path: u64, flags: i32) -> Sys<Walked> {
        self.find_at(served, folder, path, flags, false)
    }

    /// As [`Run::walk_at`], for who only looks.
    pub(super) fn look_at(&self, served: &Served, folder: i32, path: u64, flags: i32) -> Sys<Walked> {
        self.find_at(served, folder, path, flags, true)
    }

    fn find_at(&self, served: &Served, folder: i32, path: u64, flags: i32, look: bool) -> Sys<Walked> {
        let empty = flags & libc::AT_EMPTY_PATH != 0;
        // Since Linux 6.11 no path at all means the same.
        let text = if empty && path == 0 { Vec::new() } else { served.task.string(path)? };
        self.still(served)?;
        if empty && text.is_empty() {
            return self.behind(served, folder);
        }
        let way = Way { follow: flags & libc::AT_SYMLINK_NOFOLLOW == 0, look };
        self.find(served, folder, &text, way)
    }

    /// The thing behind a descriptor.
    pub(super) fn behind(&self, served: &Served, descriptor: i32) -> Sys<Walked> {
        let walked = self.walker(served.task).behind(descriptor)?;
        self.still(served)?;
        Ok(walked)
    }

    pub(super) fn text_of(&self, served: &Served, walked: &Walked) -> Sys<Vec<u8>> {
        self.walker(served.task).text_of(walked)
    }
}
