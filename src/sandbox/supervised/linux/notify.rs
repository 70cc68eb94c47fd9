//! The supervisor's end of user notification.

use std::os::fd::{AsRawFd, OwnedFd};

use super::sys::{self, Errno, Sys};
use super::watch::watched;

/// A call that waits for its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Notification {
    pub(super) id: u64,
    /// The thread that called.
    pub(super) thread: u32,
    pub(super) number: u32,
    pub(super) args: [u64; 6],
}

/// What the caller gets.
#[derive(Debug)]
pub(super) enum Reply {
    /// Success with this value.
    Value(i64),
    /// The call goes on in the kernel.
    Continue,
    /// A descriptor of the supervisor's, put into the caller's table.
    File { fd: OwnedFd, close_on_exec: bool },
    /// Somebody else answers.
    Later,
}

/// The listener of one filter.
#[derive(Debug)]
pub(super) struct Listener(OwnedFd);

/// `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP`: the waker waits anyway, so the woken may have its processor.
const SYNC_WAKE_UP: u64 = 1;

impl Listener {
    pub(super) fn new(fd: OwnedFd) -> Self {
        // Only faster; older kernels do without.
        let _ = sys::ioctl_number(&fd, libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP);
        Self(fd)
    }

    /// Whether receiving ends when nobody is left who could call. That is so since Linux 6.11; asked of the first long-term one after it.
    pub(super) fn receiving_ends() -> bool {
        sys::kernel_version() >= (6, 12)
    }

    /// Waits for a call, or for `stopped` to end: false when there will be none.
    pub(super) fn wait(&self, stopped: &OwnedFd) -> Sys<bool> {
        let mut fds = [watched(Some(&self.0)), watched(Some(stopped))];
        loop {
            sys::poll(&mut fds)?;
            match fds.map(|fd| fd.revents) {
                [0, 0] => {}
                [calls, 0] => return Ok(calls & libc::POLLIN != 0),
                _ => return Ok(false),
            }
        }
    }

    /// Whether nobody is left who could call.
    pub(super) fn is_abandoned(&self) -> bool {
        sys::is_ready(&self.0, 0)
    }

    /// The next call; `None` when its caller is gone already.
    pub(super) fn receive(&self) -> Sys<Option<Notification>> {
        let mut buffer = libc::seccomp_notif {
            id: 0,
            pid: 0,
            flags: 0,
            data: libc::seccomp_data { nr: 0, arch: 0, instruction_pointer: 0, args: [0; 6] },
        };
        match sys::ioctl(&self.0, libc::SECCOMP_IOCTL_NOTIF_RECV, &mut buffer) {
            Ok(_) => Ok(Some(Notification {
                id: buffer.id,
                thread: buffer.pid,
                number: buffer.data.nr as u32,
                args: buffer.data.args,
            })),
            Err(Errno(libc::ENOENT | libc::EINTR)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the call still waits: then its thread is still the one that called, and what was read of it was its own.
    pub(super) fn is_valid(&self, id: u64) -> bool {
        let mut id = id;
        sys::ioctl(&self.0, libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &mut id).is_ok()
    }

    /// Answers. A caller that is gone needs no answer.
    pub(super) fn answer(&self, id: u64, reply: Sys<Reply>) {
        let (val, error, flags) = match reply {
            Ok(Reply::Later) => return,
            Ok(Reply::Value(value)) => (value, 0, 0),
            Ok(Reply::Continue) => (0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
            Ok(Reply::File { fd, close_on_exec }) => match self.hand_over(id, &fd, close_on_exec) {
                Ok(()) | Err(Errno(libc::ENOENT)) => return,
                // Most often: the caller has as many descriptors as it may have.
                Err(Errno(number)) => (0, -number, 0),
            },
            Err(Errno(number)) => (0, -number, 0),
        };
        let mut response = libc::seccomp_notif_resp { id, val, error, flags };
        let _ = sys::ioctl(&self.0, libc::SECCOMP_IOCTL_NOTIF_SEND, &mut response);
    }

    /// Puts `fd` into the caller's table and makes its number the call's result, in one step.
    fn hand_over(&self, id: u64, fd: &OwnedFd, close_on_exec: bool) -> Sys<()> {
        let mut request = libc::seccomp_notif_addfd {
            id,
            flags: libc::SECCOMP_ADDFD_FLAG_SEND as u32,
            srcfd: fd.as_raw_fd() as u32,
            newfd: 0,
            newfd_flags: if close_on_exec { libc::O_CLOEXEC as u32 } else { 0 },
        };
        sys::ioctl(&self.0, libc::SECCOMP_IOCTL_NOTIF_ADDFD, &mut request).map(drop)
    }
}
