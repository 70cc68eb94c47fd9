//! The folder that names were looked up in last, kept as the serving thread's own folder.
//!
//! Programs look at one thing after another in the same folder. A name in a folder that is at hand is looked at with one call and
//! without a descriptor; by its whole path it takes three: open without following links, look, close.
//!
//! **Invariants:** a name is looked up in the kept folder only after the kernel has said, during this very call, that the folder's
//! path is the one wanted: such a path has no links. So a folder that was moved or replaced is never used under its old name. What that
//! does not tell (who may search the folders above it now, what is mounted over them) is looked up anew after [`TRUSTED`], and after
//! every call of the run that can change it.

use std::cell::{Cell, RefCell};

use super::sys;

/// How long the folders above are trusted, in nanoseconds.
const TRUSTED: i64 = 20_000_000;

/// Folders whose names are not files' own: what they hold depends on who looks.
const NEVER: [&[u8]; 2] = [b"/proc", b"/dev"];

/// The kept folder of the thread that made this; the thread has a folder of its own.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Where the thread last was sent, or was asked to go.
    path: RefCell<Vec<u8>>,
    /// When it went there; 0 when it has not.
    entered: Cell<i64>,
}

impl Kept {
    /// Whether the thread now is in `folder`, a host path without links. It goes there when it is asked for the second time in a row.
    pub(super) fn is_in(&self, folder: &[u8]) -> bool {
        let mut path = self.path.borrow_mut();
        if *path != folder {
            path.clear();
            path.extend_from_slice(folder);
            self.entered.set(0);
            return false;
        }
        let now = sys::coarse_now();
        let fresh = self.entered.get() != 0 && now - self.entered.get() < TRUSTED;
        if fresh && sys::is_current_folder(folder) {
            return true;
        }
        let entered = !NEVER.iter().any(|never| folder.starts_with(never)) && sys::enter_without_links(folder).is_ok();
        self.entered.set(if entered { now.max(1) } else { 0 });
        entered
    }

    /// Nothing is known any more about who may look where.
    pub(super) fn forget(&self) {
        self.entered.set(0);
    }
}
