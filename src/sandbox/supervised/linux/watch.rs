//! What ends a run: the command's end, its time limit, a cancellation. A thread waits for them and collects output meanwhile, so that
//! the one that serves calls has nothing else to wait for.
//!
//! **Invariants:** once a run is over, no further call is answered, and then all that is left is killed.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use super::spawn::{Report, Started};
use super::sys::{self, Errno};
use crate::sandbox::supervised::{Command, Ended, How, Stdio, SuperviseError};

/// What the two threads of a run tell each other.
#[derive(Debug, Default)]
pub(super) struct Signs {
    /// No further call is to be answered.
    pub(super) over: AtomicBool,
    /// Calls were served until nobody could call any more, or until the run was over.
    pub(super) served: AtomicBool,
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

/// What the watch saw.
#[derive(Debug)]
pub(super) struct Seen {
    how: Option<How>,
    /// The error number of an `execve` that failed.
    not_executed: Option<i32>,
    output: Vec<Vec<u8>>,
}

impl Seen {
    /// How the command ended, when the profile did or did not refuse to execute it.
    pub(super) fn ended(self, exec_refused: bool) -> Result<Ended, SuperviseError> {
        let how = match (self.how, self.not_executed) {
            (Some(How::Exited(_)), Some(_)) if exec_refused => How::ExecRefused,
            (Some(How::Exited(_)), Some(errno)) => return Err(SuperviseError::Exec { errno }),
            (Some(how), _) => how,
            (None, _) => return Err(SuperviseError::System { call: "waitid", errno: libc::ECHILD }),
        };
        let mut output = self.output.into_iter();
        let mut captured = || output.next().unwrap_or_default();
        Ok(Ended { how, stdout: captured(), stderr: captured(), grants: Vec::new() })
    }
}

pub(super) fn watched(fd: Option<&impl AsRawFd>) -> libc::pollfd {
    libc::pollfd { fd: fd.map_or(-1, AsRawFd::as_raw_fd), events: libc::POLLIN, revents: 0 }
}

fn failed(call: &'static str) -> impl Fn(Errno) -> SuperviseError {
    move |Errno(errno)| SuperviseError::System { call, errno }
}

/// Waits until the run is over and everything of it is gone. `serving` ends when calls are no longer served; `stop`
/// is closed when they need not be.
pub(super) fn watch(
    mut started: Started,
    command: &Command,
    signs: &Signs,
    serving: &OwnedFd,
    stop: OwnedFd,
) -> Result<Seen, SuperviseError> {
    let timer = command.time_limit.map(sys::timer).transpose().map_err(failed("timerfd_create"))?;
    let limit = match command.stdio {
        Stdio::Capture { limit } => limit,
        Stdio::Inherit => 0,
    };
    let sink = |from| Sink { from, bytes: Vec::new(), limit, open: true };
    let mut sinks: Vec<Sink> = started.output.take().into_iter().flatten().map(sink).collect();
    let (mut how, mut not_executed) = (None, None);
    let (mut serves, mut gone, mut stop) = (true, false, Some(stop));
    started.go().map_err(failed("write"))?;
    while !gone || sinks.iter().any(|sink| sink.open) {
        let runs = stop.is_some();
        let mut fds = vec![
            watched(Some(serving).filter(|_| serves)),
            watched(Some(&started.reports).filter(|_| !gone)),
            watched(timer.as_ref().filter(|_| runs)),
            watched(command.cancel.descriptor().filter(|_| runs).as_ref()),
        ];
        fds.extend(sinks.iter().map(|sink| watched(Some(&sink.from).filter(|_| sink.open))));
        sys::poll(&mut fds).map_err(failed("poll"))?;
        let ready = |place: usize| fds.get(place).is_some_and(|fd| fd.revents != 0);
        if ready(0) {
            serves = false;
        }
        if ready(1) {
            match started.report().map_err(failed("read"))? {
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
        let unserved = !serves && !signs.served.load(Ordering::Acquire);
        if (how.is_some() || gone || unserved) && stop.is_some() {
            // In this order: no call of theirs succeeds any more, forks least of all.
            signs.over.store(true, Ordering::Release);
            stop = None;
            started.end();
        }
    }
    Ok(Seen { how, not_executed, output: sinks.into_iter().map(|sink| sink.bytes).collect() })
}
