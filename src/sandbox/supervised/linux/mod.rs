//! The supervisor itself.
//!
//! One thread of its own serves a run: it has a folder and a file mode mask of its own (`unshare(CLONE_FS)`), so that acting for
//! others does not touch the caller. Calls that may block for long are finished by [`worker`]s. Another thread [`watch`]es for the end.

mod ask;
mod calls;
mod kept;
mod memory;
mod notify;
mod numbers;
mod permits;
mod run;
#[allow(unsafe_code)]
mod signals;
#[allow(unsafe_code)]
mod spawn;
#[allow(unsafe_code)]
mod sys;
mod walk;
mod watch;
mod worker;

use std::ffi::OsString;
use std::sync::mpsc;

use super::table::Machine;
use super::{Command, Denial, Ended, Stdio, SuperviseError, Supervisor, Unavailable};

pub(super) fn run(
    supervisor: &Supervisor,
    command: &Command,
    denials: &mut dyn FnMut(&Denial),
) -> Result<Ended, SuperviseError> {
    let machine = Machine::here().ok_or(Unavailable::System)?;
    // Whoever is refused faster than its denials are told, waits.
    let (sender, receiver) = mpsc::sync_channel(1024);
    std::thread::scope(|scope| {
        let serving = scope.spawn(move || {
            sys::own_fs_state().map_err(|error| SuperviseError::System { call: "unshare", errno: error.0 })?;
            let court = supervisor.judge.court()?;
            let mut started = spawn::start(command, machine)?;
            let listener = started.listener.take().ok_or(Unavailable::Kernel)?;
            let _passing =
                (command.stdio == Stdio::Inherit).then(|| signals::Passing::to(started.target, started.keeper));
            let run =
                run::Run::new(supervisor, &court, machine, started.keeper, listener, sender, command.tells_grants);
            run.serve(started, command)
        });
        for denial in receiver {
            denials(&denial);
        }
        match serving.join() {
            Ok(ended) => ended,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Tries everything that a run needs, on a process that never executes anything.
pub(super) fn probe() -> Result<(), Unavailable> {
    let machine = Machine::here().ok_or(Unavailable::System)?;
    if sys::openat(sys::ROOT, c"/proc/thread-self/children", libc::O_RDONLY, 0).is_err() {
        return Err(Unavailable::Proc);
    }
    match spawn::start(&Command::new(OsString::from("/")), machine) {
        Ok(_) => own_calls(),
        Err(SuperviseError::Unavailable(reason)) => Err(reason),
        Err(SuperviseError::System { call, errno }) => Err(Unavailable::Forbidden { call, errno }),
        Err(_) => Err(Unavailable::Kernel),
    }
}

/// What the serving thread needs besides.
fn own_calls() -> Result<(), Unavailable> {
    let own = std::thread::scope(|scope| scope.spawn(sys::own_fs_state).join());
    if let Ok(Err(sys::Errno(errno))) = own {
        return Err(Unavailable::Forbidden { call: "unshare", errno });
    }
    // Older filters of containers know neither this call nor that programs ask it.
    let looked = sys::openat(sys::ROOT, c"/", libc::O_PATH, 0).and_then(|root| sys::access_fd(&root, libc::F_OK, 0));
    if let Err(sys::Errno(errno)) = looked {
        return Err(Unavailable::Forbidden { call: "faccessat2", errno });
    }
    Ok(())
}
