//! Calls that may wait for long: finished by a thread each, so that all other processes go on.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::notify::{Listener, Reply};
use super::sys::{self, Errno, Sys};

/// Most calls that wait at the same time; more get EAGAIN.
const MOST: usize = 256;
/// How often a waiting call is tried again, and how soon it notices that its caller is gone.
const PAUSE: Duration = Duration::from_millis(2);

/// The threads of one run.
#[derive(Debug, Default)]
pub(super) struct Workers {
    threads: Vec<JoinHandle<()>>,
    /// Named pipes that somebody waits to read; opening their other end sets the reader free.
    pipes: Vec<Arc<OwnedFd>>,
    over: Arc<AtomicBool>,
}

impl Workers {
    /// Tries `attempt` until it gives something else than "not yet" (`Ok(None)`), then answers the call `id`. Ends when the
    /// caller has gone or the run is over.
    pub(super) fn retry(
        &mut self,
        listener: &Arc<Listener>,
        id: u64,
        mut attempt: impl FnMut() -> Sys<Option<Reply>> + Send + 'static,
    ) -> Sys<Reply> {
        // Most waits are over at once.
        if let Some(reply) = attempt()? {
            return Ok(reply);
        }
        self.threads.retain(|thread| !thread.is_finished());
        if self.threads.len() >= MOST {
            return Err(Errno(libc::EAGAIN));
        }
        let (listener, over) = (Arc::clone(listener), Arc::clone(&self.over));
        self.start(move || {
            // Files that are made here have the mode that is asked for.
            if let Err(error) = sys::own_fs_state() {
                return listener.answer(id, Err(error));
            }
            while !over.load(Ordering::Relaxed) && listener.is_valid(id) {
                match attempt() {
                    Ok(None) => std::thread::sleep(PAUSE),
                    Ok(Some(reply)) => return listener.answer(id, Ok(reply)),
                    Err(error) => return listener.answer(id, Err(error)),
                }
            }
        })
    }

    /// Opens the named pipe `pipe` for reading, which waits for a writer, and answers the call `id` with it.
    pub(super) fn read_pipe(
        &mut self,
        listener: &Arc<Listener>,
        id: u64,
        pipe: OwnedFd,
        close_on_exec: bool,
    ) -> Sys<Reply> {
        self.threads.retain(|thread| !thread.is_finished());
        if self.threads.len() >= MOST {
            return Err(Errno(libc::EAGAIN));
        }
        let (listener, pipe) = (Arc::clone(listener), Arc::new(pipe));
        self.pipes.retain(|pipe| Arc::strong_count(pipe) > 1);
        self.pipes.push(Arc::clone(&pipe));
        self.start(move || {
            let opened = sys::openat(sys::ROOT, &sys::magic(&pipe), libc::O_RDONLY, 0);
            listener.answer(id, opened.map(|fd| Reply::File { fd, close_on_exec }));
        })
    }

    fn start(&mut self, work: impl FnOnce() + Send + 'static) -> Sys<Reply> {
        let thread = std::thread::Builder::new().name("sbpl-waits".to_owned()).spawn(work);
        self.threads.push(thread.map_err(|error| Errno(error.raw_os_error().unwrap_or(libc::EAGAIN)))?);
        Ok(Reply::Later)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Held until all threads have ended: one that comes late finds a writer too.
        let flags = libc::O_RDWR | libc::O_NONBLOCK;
        let _writers: Vec<_> =
            self.pipes.iter().map(|pipe| sys::openat(sys::ROOT, &sys::magic(pipe), flags, 0)).collect();
        for thread in self.threads.drain(..) {
            // A thread that panicked has answered nobody; its caller is killed with the run.
            let _ = thread.join();
        }
    }
}
