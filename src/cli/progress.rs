//! How far a run is, on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::probe::Progress;

/// A bar on standard error. Draws nothing where that is no terminal.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new(visible: bool) -> Self {
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        match ProgressStyle::with_template("{bar:30} {pos}/{len} probes, {elapsed}  {msg}") {
            Ok(style) => Self(bar.with_style(style)),
            Err(_) => Self(bar),
        }
    }
}

impl Progress for Bar {
    fn begin(&self, probes: usize) {
        self.0.set_length(probes as u64);
    }

    fn advance(&self, profile: &str, probes: usize) {
        self.0.set_message(profile.to_owned());
        self.0.inc(probes as u64);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
