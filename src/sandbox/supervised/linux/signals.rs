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
        if signal == libc::SIGCONT {
            hand_terminal_over(command);
        }
        libc::kill(command, signal);
        *libc::__errno_location() = errno;
    }
}

/// A shell has given the terminal to the supervisor's group. A command in another one, as a shell is, had it when it stopped.
///
/// # Safety
/// None needed; calls that may be made in a handler.
unsafe fn hand_terminal_over(command: i32) {
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
            // SAFETY: a `sigaction` is integers and a pointer that may be null; both live through the calls.
            unsafe {
                let mut old: libc::sigaction = std::mem::zeroed();
                libc::sigaction(signal, std::ptr::null(), &raw mut old);
                if old.sa_sigaction == libc::SIG_IGN {
                    continue;
                }
                let mut new: libc::sigaction = std::mem::zeroed();
                let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = pass_on;
                new.sa_sigaction = handler as libc::sighandler_t;
                new.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
                libc::sigaction(signal, &raw const new, std::ptr::null_mut());
                before.push((signal, old));
            }
        }
        Self { terminal, before }
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        for (signal, old) in &self.before {
            // SAFETY: the disposition is one that was in force.
            unsafe { libc::sigaction(*signal, old, std::ptr::null_mut()) };
        }
        COMMAND.store(0, Ordering::Relaxed);
        TERMINAL.store(-1, Ordering::Relaxed);
        drop(self.terminal.take());
    }
}
