//! Signals for a command that has the caller's terminal.
//!
//! The terminal sends its signals to the whole process group: the command gets them itself, and the supervisor must outlive them to
//! tell how the command ended, and go on working while the command makes up its mind about SIGTSTP. What somebody sends to the
//! supervisor alone is meant for the command and is handed on. A shell lets the supervisor's group go on, in which the command
//! need not be: that is handed on too.
//!
//! **Invariants:** dispositions are as before when the guard is gone; a signal that the caller ignores stays ignored.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

use super::sys;
use crate::sandbox::handler::catch;

/// Signals that end or stop a program unless it says otherwise, that make it go on, and that people send to programs.
const SIGNALS: [libc::c_int; 9] = [
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGWINCH,
    libc::SIGTSTP,
    libc::SIGCONT,
];

/// The command of the run that has the terminal; 0 when there is none.
static COMMAND: AtomicI32 = AtomicI32::new(0);
/// Its keeper, whose SIGCONT says that the command goes on already.
static KEEPER: AtomicI32 = AtomicI32::new(0);

/// The terminal of both; -1 when there is none.
static TERMINAL: AtomicI32 = AtomicI32::new(-1);

/// While it lives, signals are the command's.
pub(super) struct Passing {
    terminal: Option<OwnedFd>,
    before: Vec<(libc::c_int, libc::sigaction)>,
}

extern "C" fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel gives a whole `siginfo_t` to a handler that asked for one.
    let (from_a_process, sender) = unsafe { ((*info).si_code <= 0, (*info).si_pid()) };
    let (command, keeper) = (COMMAND.load(Ordering::Relaxed), KEEPER.load(Ordering::Relaxed));
    if !from_a_process || command <= 0 || sender == keeper {
        return;
    }
    // SAFETY: no pointers but to this thread's own error number; all may be called in a handler.
    unsafe {
        let errno = *libc::__errno_location();
        // What goes on already may have been stopped anew by the time that this arrives.
        if signal != libc::SIGCONT || is_stopped(command) {
            if signal == libc::SIGCONT {
                hand_terminal_over(command);
            }
            libc::kill(command, signal);
        }
        *libc::__errno_location() = errno;
    }
}

/// Whether the process is stopped, by `/proc/PID/stat`: `PID (NAME) STATE …`. May be asked in a handler: nothing is
/// allocated.
fn is_stopped(process: i32) -> bool {
    let mut path = *b"/proc/0000000000/stat\0";
    let mut left = process;
    for place in path.iter_mut().skip(6).take(10).rev() {
        *place = b'0' + (left % 10) as u8;
        left /= 10;
    }
    // Zeros in front are not the name of a process.
    let zeros = path.iter().skip(6).take_while(|byte| **byte == b'0').count();
    path.copy_within(6 + zeros.min(10).., 6);
    let mut text = [0u8; 64];
    // SAFETY: the path ends with NUL, the buffer is as long as said.
    let length = unsafe {
        let file = libc::open(path.as_ptr().cast(), libc::O_RDONLY | libc::O_CLOEXEC);
        if file < 0 {
            return false;
        }
        let length = libc::read(file, text.as_mut_ptr().cast(), text.len());
        libc::close(file);
        length
    };
    let read = text.get(..usize::try_from(length).unwrap_or(0)).unwrap_or_default();
    // Behind the name there are only numbers.
    let state = read.iter().rposition(|byte| *byte == b')').and_then(|end| read.get(end + 2));
    state == Some(&b'T')
}

/// A shell has given the terminal to the supervisor's group. A command in another one, as a shell is, had it when it stopped. May be
/// done in a handler.
fn hand_terminal_over(command: i32) {
    // SAFETY: no pointers.
    unsafe {
        let (terminal, own, theirs) = (TERMINAL.load(Ordering::Relaxed), libc::getpgrp(), libc::getpgid(command));
        if terminal >= 0 && theirs > 0 && theirs != own && libc::tcgetpgrp(terminal) == own {
            libc::tcsetpgrp(terminal, theirs);
        }
    }
}

impl Passing {
    /// Passes signals to `command`, a process that was not waited for, but not those of its keeper.
    pub(super) fn to(command: i32, keeper: i32) -> Self {
        let terminal = sys::openat(sys::ROOT, c"/dev/tty", libc::O_RDONLY | libc::O_NOCTTY, 0).ok();
        TERMINAL.store(terminal.as_ref().map_or(-1, AsRawFd::as_raw_fd), Ordering::Relaxed);
        KEEPER.store(keeper, Ordering::Relaxed);
        COMMAND.store(command, Ordering::Relaxed);
        let mut before = Vec::new();
        for signal in SIGNALS {
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = pass_on;
            // SAFETY: `pass_on` has the form of a handler with information and does what a handler may do.
            let old = unsafe { catch(signal, handler as libc::sighandler_t, libc::SA_SIGINFO | libc::SA_RESTART) };
            before.extend(old.map(|old| (signal, old)));
        }
        Self { terminal, before }
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // What came for the command and was not looked at yet was the command's too; it must not end or stop the caller now.
        // SAFETY: the sets live through the calls and are made before they are read.
        let mask = unsafe {
            let mut ours: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut ours);
            for (signal, _) in &self.before {
                libc::sigaddset(&raw mut ours, *signal);
            }
            let mut mask: libc::sigset_t = std::mem::zeroed();
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const ours, &raw mut mask);
            let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            while libc::sigtimedwait(&raw const ours, std::ptr::null_mut(), &raw const now) > 0 {}
            mask
        };
        for (signal, old) in &self.before {
            // SAFETY: the disposition is one that was in force.
            unsafe { libc::sigaction(*signal, old, std::ptr::null_mut()) };
        }
        // SAFETY: a mask that was in force.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const mask, std::ptr::null_mut()) };
        COMMAND.store(0, Ordering::Relaxed);
        TERMINAL.store(-1, Ordering::Relaxed);
        drop(self.terminal.take());
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn stopped_processes_are_known() {
        let mut child = std::process::Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let pid = child.id() as i32;
        let is = |wanted: bool| (0..5000).any(|_| super::is_stopped(pid) == wanted);
        // SAFETY: signals to a child.
        let send = |signal| unsafe { libc::kill(pid, signal) };
        assert!(is(false));
        send(libc::SIGSTOP);
        assert!(is(true));
        send(libc::SIGCONT);
        assert!(is(false));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is(false));
    }
}
