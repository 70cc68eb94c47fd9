//! Questions about paths that were answered with *allow*, so that the same one is not worked out again.
//!
//! A profile does not change during a run, and its answer follows from the question alone. What was refused is asked again each time:
//! each refusal is reported.
//!
//! **Invariants:** a key holds everything that the profile is told about the path; a question with more to it is never kept.

use std::cell::RefCell;
use std::collections::HashSet;

use crate::vocab::OpId;

/// Most answers that are kept; then all are forgotten.
const MOST: usize = 8192;

/// The answers of one run.
#[derive(Debug, Default)]
pub(super) struct Permits {
    known: RefCell<HashSet<Box<[u8]>>>,
    key: RefCell<Vec<u8>>,
}

impl Permits {
    /// Whether `operation` on `path` with this mode, and device number for a device, was allowed before; if not, whether `ask` now does.
    pub(super) fn allows<E>(
        &self,
        operation: OpId,
        mode: u32,
        device: Option<(u32, u32)>,
        path: &[u8],
        ask: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        {
            let mut key = self.key.borrow_mut();
            key.clear();
            key.extend_from_slice(&operation.0.to_ne_bytes());
            key.extend_from_slice(&mode.to_ne_bytes());
            // No device has these numbers.
            let (major, minor) = device.unwrap_or((u32::MAX, u32::MAX));
            key.extend_from_slice(&major.to_ne_bytes());
            key.extend_from_slice(&minor.to_ne_bytes());
            key.extend_from_slice(path);
            if self.known.borrow().contains(key.as_slice()) {
                return Ok(());
            }
        }
        ask()?;
        let mut known = self.known.borrow_mut();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(self.key.borrow().as_slice().into());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_allowed_is_not_asked_again_and_what_was_refused_is() {
        let permits = Permits::default();
        let asked = std::cell::Cell::new(0);
        let ask = |path: &[u8], mode, answer: Result<(), ()>| {
            permits.allows(OpId(1), mode, None, path, || {
                asked.set(asked.get() + 1);
                answer
            })
        };
        assert_eq!((ask(b"/a", 1, Ok(())), ask(b"/a", 1, Err(()))), (Ok(()), Ok(())));
        assert_eq!(asked.get(), 1);
        assert_eq!(
            (ask(b"/a", 2, Err(())), ask(b"/b", 1, Err(())), ask(b"/b", 1, Err(()))),
            (Err(()), Err(()), Err(()))
        );
        assert_eq!(asked.get(), 4);
    }
}
