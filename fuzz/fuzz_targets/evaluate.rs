//! Any text, within small limits: evaluation ends, and the policy printed and evaluated again is the same policy.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sbpl::diag::Source;
use sbpl::profile::{EvalOptions, Limits, NoImports, evaluate};

fuzz_target!(|text: &[u8]| {
    let limits = Limits { steps: 100_000, heap_bytes: 16 << 20, depth: 10_000, rules: 1000, ..Limits::default() };
    let options = EvalOptions { limits, ..EvalOptions::default() };
    // Most texts are no profiles: a version in front lets more of them come further.
    for head in [&b""[..], b"(version 1)", b"(version 2)"] {
        match evaluate(Source::new("fuzz", [head, text].concat()), &NoImports, &options) {
            Ok(evaluation) => assert!(evaluation.policy.rules().len() <= limits.rules + 100),
            Err(failure) => assert!(!failure.diagnostics.is_empty()),
        }
    }
});
