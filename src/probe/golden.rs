//! The plan that is built in: the profiles of `profiles/`, whose outcomes on macOS 14.4.1 are known, and two controls.

use super::error::ProbeError;
use super::set::{Files, PlanSet, ReadFailure};

/// Name of its registry.
pub const REGISTRY_ID: &str = "golden";

macro_rules! embed {
    ($($path:literal),* $(,)?) => { &[$(($path, include_bytes!(concat!("../../profiles/", $path)))),*] };
}

/// Every file by its path below `profiles/`.
const FILES: &[(&str, &[u8])] = embed![
    "plan.json",
    "expected_matrix.json",
    "registry/profiles.json",
    "registry/probes.json",
    "bucket4/v1_read.sb",
    "bucket5/v11_read_subpath.sb",
    "runtime/metafilter_any.sb",
    "runtime/strict_1.sb",
    "runtime/allow_all.sb",
    "runtime/deny_only.sb",
    "runtime/message_filter.sb",
];

/// The embedded files. Profiles are named from the root of the repository: `profiles/bucket4/v1_read.sb`.
#[derive(Debug, Clone, Copy)]
pub struct Embedded;

impl Files for Embedded {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadFailure> {
        let name = path.strip_prefix("profiles/").unwrap_or(path);
        match FILES.iter().find(|(known, _)| *known == name) {
            Some((_, bytes)) => Ok(bytes.to_vec()),
            None => Err(ReadFailure { missing: true, reason: "not among the built-in files".to_owned() }),
        }
    }
}

/// The built-in plan with everything it names.
///
/// # Errors
/// None in practice; a test loads it.
pub fn plan_set() -> Result<PlanSet, ProbeError> {
    let text = Embedded.read("plan.json").unwrap_or_default();
    PlanSet::load(&text, &Embedded)
}
