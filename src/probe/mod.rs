//! Plans, expectations, runs and what they leave behind.
//!
//! ```text
//! plan + registries --load--> PlanSet --run--> bundle: shimmed profiles, blobs, results, mismatches, index
//! ```
//!
//! A plan names profiles; each profile has probes with an expected answer. A run shims every profile, scans it for what is
//! known not to apply, compiles it, applies it to a [`Backend`](crate::sandbox::Backend), tries the probes and compares. The
//! documents are those of `spec/probe-runner.md` section 1; what we add to them has keys of its own.
//!
//! Files of plans come through [`Files`], time through [`Clock`], ids from the caller; only [`bundle`] writes, and only below
//! the folder it is given.
//!
//! **Invariants**
//! - Keys that a document holds and we do not know survive reading and writing.
//! - Only results of the stage *operation* are evidence about a profile; everything before is *blocked*.
//! - A bundle is complete when its `artifact_index.json` is there and every digest in it is right. It is written last.
//! - Lanes stay apart: what the baseline or the oracle said is never read as the scenario's answer.
//! - Two runs of one plan differ in ids and times only.

mod apply_preflight;
pub mod artifact;
mod build;
pub mod bundle;
mod contents;
mod decode;
mod derive;
mod difference;

mod error;
pub mod golden;
mod lanes;
mod lint;
mod mapping;
pub mod matrix;
mod mismatch;
mod names;
mod one;
mod place;
pub mod plan;
mod pool;
pub mod preflight;
mod prepare;
mod promote;
mod python_json;
pub mod registry;
mod row;
mod run;
mod set;
mod table;
pub mod tag;
pub mod template;
mod texts;

pub use build::{build_plan, build_value};
pub use derive::{Derived, derive};
pub use error::{CODES, Finding, ProbeError};
pub use lint::lint;
pub use promote::promotion_packet;
pub use run::{Clock, Identity, Progress, Report, RunOptions, Silent, run};
pub use set::{Files, LoadFailure, PlanSet, ReadFailure};
pub use table::Row;

/// The world that documents without one are about: macOS 14.4.1 (23E224) on Apple silicon.
pub const WORLD_ID: &str = "sonoma-14.4.1-23E224-arm64-dyld-2c0602c5";

/// Digest of bytes as bundles write it: 64 lower-case hex digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex(&sha2::Sha256::digest(bytes))
}

/// Two lower-case hex digits a byte.
fn hex(bytes: &[u8]) -> String {
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0'));
    bytes.iter().flat_map(digits).collect()
}

#[cfg(test)]
mod tests;
