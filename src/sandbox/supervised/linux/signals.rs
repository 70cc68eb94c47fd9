//! Signals for a command that has the caller's terminal.
//!
//! The terminal sends its signals to the whole process group: the command gets them itself, and the supervisor must outlive them to
//! tell how the command ended. What somebody sends to the supervisor alone is meant for the command and is handed on.
//!
//! **Invariants:** dispositions are as before when the guard is gone; a signal that the caller ignores stays ignored.

use std::sync::atomic::{AtomicI32, Ordering};

/// Signals that end a program unless it says otherwise, and that people send to programs.
const SIGNALS: [libc::c_int; 6] =
    [libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2];

/// The command of the run that has the terminal; 0 when there is none.
static COMMAND: AtomicI32 = AtomicI32::new(0);

/// While it lives, signals are the command's.
pub(super) struct Passing {
    before: Vec<(libc::c_int, libc::sigaction)>,
}

extern "C" fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel gives a whole `siginfo_t` to a handler that asked for one.
    let from_a_process = unsafe { (*info).si_code } <= 0;
    let command = COMMAND.load(Ordering::Relaxed);
    if from_a_process && command > 0 {
        // SAFETY: no pointers; may be called in a handler.
        unsafe { libc::kill(command, signal) };
    }
}

impl Passing {
    /// Passes signals to `command`, a process that was not waited for.
    pub(super) fn to(command: i32) -> Self {
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
        Self { before }
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        for (signal, old) in &self.before {
            // SAFETY: the disposition is one that was in force.
            unsafe { libc::sigaction(*signal, old, std::ptr::null_mut()) };
        }
        COMMAND.store(0, Ordering::Relaxed);
    }
}
