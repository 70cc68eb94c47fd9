//! A way to tell a run that it shall end: probes that are running are ended, no other is begun.
//!
//! **Invariants:** a run that is told to end stays told. Signals are listened to only by who asks for it ([`Interrupt::listen`]),
//! which is for the outermost layer: nothing in the library does.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use super::handler::catch;

/// Whether a run shall end. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Option<Arc<OwnedFd>>);

impl Cancel {
    /// Nobody ends the run.
    pub fn never() -> Self {
        Self::default()
    }

    /// The run shall end as soon as `fd` can be read, or is at its end. Nothing is read from it.
    pub fn when_readable(fd: OwnedFd) -> Self {
        Self(Some(Arc::new(fd)))
    }

    /// Whether the run shall end.
    #[allow(unsafe_code)]
    pub fn is_set(&self) -> bool {
        let Some(fd) = self.descriptor() else { return false };
        let mut one = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: one writable element.
        unsafe { libc::poll(&raw mut one, 1, 0) == 1 }
    }

    /// What becomes readable, for those who wait for other things too.
    pub fn descriptor(&self) -> Option<RawFd> {
        self.0.as_ref().map(|fd| fd.as_raw_fd())
    }
}

/// Signals that end a program unless it says otherwise, as a [`Cancel`].
#[derive(Debug)]
pub struct Interrupt {
    cancel: Cancel,
}

const SIGNALS: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// The first signal that came; 0 before.
static SIGNAL: AtomicI32 = AtomicI32::new(0);
/// Where a byte makes the descriptor readable.
static WAKE: AtomicI32 = AtomicI32::new(-1);

#[allow(unsafe_code)]
extern "C" fn note(signal: libc::c_int) {
    // The first one counts.
    let _ = SIGNAL.compare_exchange(0, signal, Ordering::Relaxed, Ordering::Relaxed);
    // SAFETY: one readable byte; may be called in a handler. The pipe is never full: each signal writes once.
    unsafe { libc::write(WAKE.load(Ordering::Relaxed), [1u8].as_ptr().cast(), 1) };
}

impl Interrupt {
    /// Listens to SIGINT, SIGTERM and SIGHUP from now on. The second one of a kind ends the process as if nobody listened; one that
    /// the process ignores stays ignored. Once for a process: the second call listens to nothing.
    ///
    /// # Errors
    /// There is no pipe.
    #[allow(unsafe_code)]
    pub fn listen() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let writer = OwnedFd::from(writer);
        if WAKE.compare_exchange(-1, writer.as_raw_fd(), Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return Ok(Self { cancel: Cancel::never() });
        }
        // The handler may run until the process ends.
        std::mem::forget(writer);
        for signal in SIGNALS {
            let handler: extern "C" fn(libc::c_int) = note;
            // SAFETY: `note` takes a number only and does what a handler may do.
            unsafe { catch(signal, handler as libc::sighandler_t, libc::SA_RESETHAND | libc::SA_RESTART) };
        }
        Ok(Self { cancel: Cancel::when_readable(reader.into()) })
    }

    /// What a run is told by.
    pub fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// The signal that came, as this system numbers it.
    pub fn signal(&self) -> Option<i32> {
        Some(SIGNAL.load(Ordering::Relaxed)).filter(|signal| *signal != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn told_once_is_told() {
        let (reader, mut writer) = io::pipe().unwrap();
        let cancel = Cancel::when_readable(reader.into());
        let other = cancel.clone();
        assert!(!cancel.is_set() && !Cancel::never().is_set());
        writer.write_all(&[1]).unwrap();
        assert!(cancel.is_set() && other.is_set() && cancel.is_set());
    }
}
