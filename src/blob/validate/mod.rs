//! Every check that a loader makes, and those that only compiler output passes (`spec/blob-format.md` section 11).
//!
//! The checks are a table ([`CHECKS`]); a [`Report`] says for each whether it held and where it did not. In permissive mode
//! only what a loader must refuse is checked, in strict mode also what every blob that Apple's compiler wrote shows.

mod checks;
mod records;

use serde::Serialize;

use super::error::Site;
use super::{Blob, BlobError, Generation, Options};

/// How much is asked of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// What compiler output shows.
    Strict,
    /// What a loader must refuse.
    Permissive,
}

/// One check.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its stable code.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What must hold.
    pub rule: &'static str,
    /// Only made in strict mode.
    pub strict: bool,
}

macro_rules! checks {
    ($($id:ident $code:literal $name:literal $mode:ident $rule:literal)*) => {
        /// The position of a check in [`CHECKS`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Id { $($id),* }
        /// All checks, by code.
        pub const CHECKS: &[Check] =
            &[$(Check { code: $code, name: $name, rule: $rule, strict: checks!(@ $mode) }),*];
    };
    (@ strict) => { true };
    (@ always) => { false };
}

checks! {
    Sections "E0420" "sections" always "header, tables, op table, padding and nodes lie inside the file"
    OpCount "E0421" "op-count" strict "the operation count is that of a released system of the generation"
    NodeCount "E0422" "node-count" always "there is at least one node"
    Profiles "E0423" "profiles" strict "the profile count is 0 exactly when the blob is no collection"
    Roots "E0424" "roots" always "every entry of an op table is a node"
    Policies "E0425" "policies" always "every entry of the policy table is a node"
    Edges "E0426" "edges" always "match and else of every test are nodes"
    NodeKind "E0427" "node-kind" always "every node is a test or a terminal"
    Filters "E0428" "filters" always "every filter is known and has the kind of argument that is stored"
    Acyclic "E0429" "acyclic" always "no node leads back to itself"
    Order "E0430" "order" strict "match and else lie behind their test"
    Branches "E0431" "branches" strict "match and else differ"
    Reachable "E0432" "reachable" strict "every node is reached from an operation or a message filter"
    Records "E0433" "records" always "every record that is referred to lies inside the file"
    Indexes "E0434" "indexes" always "regex, state, flag, policy and message numbers lie inside their tables"
    Variables "E0435" "variables" always "pattern code refers to existing variables"
    Overlap "E0436" "overlap" always "records of the pool do not overlap"
    Gaps "E0437" "gaps" strict "records fill the pool; between them are fewer than 8 zero bytes, behind the last none"
    Strings "E0438" "strings" always "strings end with NUL"
    Bitmasks "E0439" "bit-sets" always "bit sets have version 1"
    Patterns "E0440" "patterns" always "pattern code is well formed"
    Regexes "E0441" "regexes" always "regex code is well formed"
    Padding "E0442" "padding" strict "padding and unused header bytes are zero"
    Payloads "E0443" "payloads" strict "unused bytes of terminals are zero; arrays hold two modifiers or more"
    Entitlements "E0444" "entitlements" strict "filters 31 and 32 stand only behind a matched filter 30"
    MessageFilters "E0445" "message-filters" strict "type bit 0x4000 is set exactly when there are message filters"
    Modifiers "E0446" "modifiers" strict "modifier ids are known and message filters name an operation outside the op table"
    Networks "E0447" "networks" strict "network addresses have a known protocol set and host"
}

/// One place where a check does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The code of the check.
    pub code: &'static str,
    /// Its name.
    pub check: &'static str,
    /// Byte offset from the start of the file.
    pub offset: usize,
    /// Who is at fault.
    #[serde(rename = "where")]
    pub place: String,
    /// What is wrong there.
    pub message: String,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The check.
    #[serde(flatten)]
    pub check: &'static Check,
    /// In how many places it does not hold.
    pub violations: u32,
}

/// What validation found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Nothing is wrong.
    pub valid: bool,
    /// What was asked.
    pub mode: Mode,
    /// The generation that the blob was read as.
    pub generation: Option<Generation>,
    /// Every check that was made, by code. Empty when the blob could not be read at all.
    pub checks: Vec<Outcome>,
    /// Where checks do not hold, by check, at most [`MAX_FINDINGS`] for each.
    pub findings: Vec<Finding>,
}

/// Findings that are kept for each check; all are counted.
pub const MAX_FINDINGS: u32 = 20;

/// Checks `bytes`.
///
/// # Errors
/// [`BlobError`] when the bytes cannot be seen as a blob at all: text, too large, or of no known generation. A file that is
/// cut off is a finding.
pub fn validate(bytes: &[u8], options: &Options, mode: Mode) -> Result<Report, BlobError> {
    let blob = match Blob::parse(bytes, options) {
        Ok(blob) => blob,
        Err(error @ BlobError::Exhausted { .. }) => return Ok(cut_off(&error, bytes.len(), mode)),
        Err(error) => return Err(error),
    };
    let mut run =
        Run { blob: &blob, mode, violations: vec![0; CHECKS.len()], findings: vec![Vec::new(); CHECKS.len()] };
    run.structure();
    run.graph();
    run.pool();
    let checks = CHECKS.iter().zip(&run.violations).filter(|(check, _)| mode == Mode::Strict || !check.strict);
    let checks = checks.map(|(check, &violations)| Outcome { check, violations }).collect::<Vec<_>>();
    Ok(Report {
        valid: checks.iter().all(|outcome| outcome.violations == 0),
        mode,
        generation: Some(blob.header().generation),
        checks,
        findings: run.findings.into_iter().flatten().collect(),
    })
}

fn cut_off(error: &BlobError, length: usize, mode: Mode) -> Report {
    let check = &CHECKS[Id::Sections as usize];
    let finding = Finding {
        code: check.code,
        check: check.name,
        offset: length,
        place: "end of file".to_owned(),
        message: error.to_string(),
    };
    Report {
        valid: false,
        mode,
        generation: None,
        checks: vec![Outcome { check, violations: 1 }],
        findings: vec![finding],
    }
}

/// A validation in progress.
struct Run<'b, 'a> {
    blob: &'b Blob<'a>,
    mode: Mode,
    violations: Vec<u32>,
    findings: Vec<Vec<Finding>>,
}

impl Run<'_, '_> {
    /// Notes that `check` does not hold at `offset`, unless the mode leaves it out.
    fn fault(&mut self, check: Id, offset: usize, place: impl std::fmt::Display, message: impl Into<String>) {
        let at = check as usize;
        let (Some(row), Some(count), Some(list)) =
            (CHECKS.get(at), self.violations.get_mut(at), self.findings.get_mut(at))
        else {
            return;
        };
        if row.strict && self.mode == Mode::Permissive {
            return;
        }
        *count += 1;
        if *count <= MAX_FINDINGS {
            let (code, check) = (row.code, row.name);
            list.push(Finding { code, check, offset, place: place.to_string(), message: message.into() });
        }
    }

    fn require(&mut self, holds: bool, check: Id, site: Site, message: impl FnOnce() -> String) {
        if !holds {
            self.fault(check, self.blob.offset_of(site), site, message());
        }
    }

    fn violations(&self, check: Id) -> u32 {
        self.violations.get(check as usize).copied().unwrap_or(0)
    }
}
