//! Tests against the reference data that is not part of the project: compiled profiles with their sources, system profiles,
//! recorded decisions. `SBPL_SHARED` names the folder.
//!
//! Without it every topic is listed as *ignored*, and that is all that can be said. In CI (`CI` is set) a missing folder is a
//! failure. What is counted may only rise: `tests/counts.json` holds the counts, `BLESS=1` raises them.

// A test harness may print, and panics are how it fails.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

#[path = "shared/blob.rs"]
mod blob;
#[path = "shared/corpus_evaluate.rs"]
mod corpus_evaluate;
#[path = "shared/counts.rs"]
mod counts;
#[path = "shared/decompile.rs"]
mod decompile;
#[path = "shared/engines.rs"]
mod engines;
#[path = "shared/equal.rs"]
mod equal;
#[path = "shared/faithful.rs"]
mod faithful;
#[path = "shared/golden.rs"]
mod golden;
#[path = "shared/lint.rs"]
mod lint;
#[path = "shared/pattern.rs"]
mod pattern;
#[path = "shared/probe.rs"]
mod probe;
#[path = "shared/records.rs"]
mod records;
#[path = "shared/requests.rs"]
mod requests;
#[path = "shared/shim.rs"]
mod shim;
#[cfg(target_os = "linux")]
#[path = "shared/supervised.rs"]
mod supervised;
#[path = "shared/syntax.rs"]
mod syntax;
#[path = "shared/unions.rs"]
mod unions;
#[path = "shared/witness.rs"]
mod witness;

/// A topic: its name and the trials that it makes of the data folder.
type Topic = (&'static str, fn(PathBuf) -> Vec<Trial>);

const TOPICS: &[Topic] = &[
    ("blob", blob::trials),
    ("corpus_evaluate", corpus_evaluate::trials),
    ("decompile", decompile::trials),
    ("engines", engines::trials),
    ("equal", equal::trials),
    ("faithful", faithful::trials),
    ("golden", golden::trials),
    ("lint", lint::trials),
    ("pattern", pattern::trials),
    ("probe", probe::trials),
    ("shim", shim::trials),
    #[cfg(target_os = "linux")]
    ("supervised", supervised::trials),
    ("syntax", syntax::trials),
    ("unions", unions::trials),
    ("witness", witness::trials),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = std::env::var_os("SBPL_SHARED").map(PathBuf::from);
    let trials = match folder {
        Some(folder) => match folder.canonicalize() {
            Ok(folder) => TOPICS.iter().flat_map(|(_, trials)| trials(folder.clone())).collect(),
            Err(error) => {
                eprintln!("SBPL_SHARED={}: {error}", folder.display());
                return ExitCode::FAILURE;
            }
        },
        None if std::env::var_os("CI").is_some() => {
            eprintln!("SBPL_SHARED is not set: in CI the tests against the reference data must run");
            return ExitCode::FAILURE;
        }
        None => TOPICS
            .iter()
            .map(|(name, _)| {
                Trial::test(format!("{name} (left out: SBPL_SHARED is not set)"), || Ok(())).with_ignored_flag(true)
            })
            .collect(),
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}
