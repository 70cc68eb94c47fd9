//! One run: the loop that serves calls until the command has ended and everything it left behind is gone.

use std::cell::Cell;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;

use super::ask::{Asker, Question};
use super::kept::Kept;
use super::memory::Task;
use super::notify::{Listener, Notification, Reply};
use super::spawn::Started;
use super::sys::{self, Errno, Sys};
use super::walk::{Walked, Walker, Way};
use super::watch::{Signs, watch};
use super::worker::Workers;
use crate::sandbox::judge::Court;
use crate::sandbox::supervised::table::{Call, Machine, Treatment, call};
use crate::sandbox::supervised::{
    Command, Denial, Ended, Grant, Mapping, Start, SuperviseError, Supervisor, handshake,
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

impl<'a> Run<'a> {
    pub(super) fn new(
        supervisor: &'a Supervisor,
        court: &'a Court<'a>,
        machine: Machine,
        keeper: i32,
        listener: OwnedFd,
        denials: SyncSender<Denial>,
        tells_grants: bool,
    ) -> Self {
        let mapping = &supervisor.mapping;
        Self {
            asker: Asker::new(court, supervisor.judge.target(), mapping, denials, tells_grants),
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
    pub(super) fn serve(mut self, started: Started, command: &Command) -> Result<Ended, SuperviseError> {
        let system = |call: &'static str| move |Errno(errno)| SuperviseError::System { call, errno };
        self.waiting = command.start == Start::Handshake;
        self.most_processes = command.most_processes;
        // Each of the two threads knows by the end of a pipe that the other one is done.
        let (stopped, stop) = sys::pipe().map_err(system("pipe2"))?;
        let (serving, serves) = sys::pipe().map_err(system("pipe2"))?;
        let signs = &Signs::default();
        std::thread::scope(move |scope| {
            let watch = move || watch(started, command, signs, &serving, stop);
            let thread = std::thread::Builder::new().name("sbpl-watches".to_owned());
            let watch = thread.spawn_scoped(scope, watch).map_err(|error| SuperviseError::System {
                call: "clone",
                errno: error.raw_os_error().unwrap_or(libc::EAGAIN),
            })?;
            let served = self.serve_calls(&signs.over, &stopped);
            let exec_refused = self.exec_refused;
            // Closes the listener.
            let grants = self.into_grants();
            signs.served.store(served.is_ok(), Ordering::Release);
            drop(serves);
            let seen = watch.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            served.map_err(system("seccomp notify"))?;
            Ok(Ended { grants, ..seen?.ended(exec_refused)? })
        })
    }

    fn into_grants(self) -> Vec<Grant> {
        self.asker.into_grants()
    }

    /// Answers calls until the run is over, or nobody is left who could call.
    fn serve_calls(&mut self, over: &AtomicBool, stopped: &OwnedFd) -> Sys<()> {
        let polls = !Listener::receiving_ends();
        loop {
            if polls && !self.listener.wait(stopped)? {
                return Ok(());
            }
            let notification = self.listener.receive()?;
            if over.load(Ordering::Acquire) {
                return Ok(());
            }
            match notification {
                Some(notification) => {
                    let reply = self.reply(&notification);
                    self.listener.answer(notification.id, reply);
                }
                None if self.listener.is_abandoned() => return Ok(()),
                None => {}
            }
        }
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
