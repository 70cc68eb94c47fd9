//! How much a profile may cost.

use crate::policy::MAX_FILTER_DEPTH;
use crate::scheme::MachineLimits;
use crate::syntax::SyntaxLimits;

/// Bounds of one evaluation. A run that meets the defaults ends within a second; the largest known profile, `application.sb`, takes
/// 53,166 steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Reading of each text.
    pub syntax: SyntaxLimits,
    /// Steps of the machine.
    pub steps: u64,
    /// Bytes of all values.
    pub heap_bytes: usize,
    /// Calls and forms inside each other.
    pub depth: usize,
    /// Files read by `import` and `load`, counted each time.
    pub imports: usize,
    /// Imports inside imports.
    pub import_depth: usize,
    /// Bytes of all imported files.
    pub import_bytes: usize,
    /// Rules of the policy, those of message filters included.
    pub rules: usize,
    /// Tests in all filters of the policy.
    pub filter_tests: usize,
    /// Warnings that are kept; the last says how many more there were.
    pub warnings: usize,
    /// Filters inside each other; at most [`MAX_FILTER_DEPTH`].
    pub filter_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Limits {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        syntax: SyntaxLimits::DEFAULT,
        steps: 4_000_000,
        heap_bytes: 256 << 20,
        depth: 1_000_000,
        imports: 1000,
        import_depth: 50,
        import_bytes: 64 << 20,
        rules: 200_000,
        filter_tests: 2_000_000,
        warnings: 100,
        filter_depth: MAX_FILTER_DEPTH,
    };

    pub(super) fn machine(&self) -> MachineLimits {
        MachineLimits { steps: self.steps, heap_bytes: self.heap_bytes, depth: self.depth }
    }
}
