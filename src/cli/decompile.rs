//! `sbpl decompile`: a blob as SBPL.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::blob_file::{self, BlobFile};
use super::compile::sha256;
use super::context::Context;
use super::diff::CODE_TARGETS;
use super::exit::{Exit, Failure};
use super::files;
use super::side::{graph_failure, profile_of};
use crate::blob::{Blob, Roots};
use crate::compile::decompile::{Outcome, Verified, verify};
use crate::decide::Budget;
use crate::diff::semantic::{Change, CompareError, Comparison, Side};
use crate::vocab::{self, OpId, Target};

/// Print a compiled profile as SBPL, compile that again, and say on standard error whether the bytes are the same.
///
/// Exit status 1 when they are not; with --check when some request is decided otherwise, and 3 when that stays open. With --json: {"target", "version", "params", "text", "outcome",
/// "first_difference", "operations", "decisions": {"equal", "different", "undecided"}, "lost"}; "outcome" is identical, same-programs, different or
/// fails, "operations" those whose programs differ. A profile of a collection has no bytes of its own: at best its programs are the same.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    file: BlobFile,
    /// The profile of a collection.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Where the programs of an operation differ, compare what they decide, over all requests.
    #[arg(long)]
    check: bool,
    /// Write the text here instead of to standard output.
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let source = self.file.read(context)?;
        let bytes = source.text();
        let blob = Blob::parse(bytes, &self.file.options()).map_err(|error| self.file.failure(&error))?;
        let program = blob.program().map_err(|error| self.file.failure(&error))?;
        let target = vocab::target(blob.header().generation.target()).unwrap_or(context.target);
        let profile = profile_of(&self.file.path, &program, self.profile.as_deref(), "--profile")?;
        let single = matches!(program.roots, Roots::Single(_)).then_some(bytes);
        let verified = verify(&program, profile, single, target)
            .map_err(|stop| blob_file::failure(&self.file.path, (&stop).into()))?;
        if let Some(output) = &self.output {
            files::write_atomically(context, output, &verified.draft.text, &[&self.file.path])?;
        }
        let decisions = match (self.check, &verified.outcome, &verified.program) {
            (true, Outcome::Different { operations, .. }, Some(again)) => {
                let blob = Side::Program(&program, self.profile.as_deref());
                Some(self.decisions(blob, Side::Program(again, None), operations, target)?)
            }
            _ => None,
        };
        if context.json {
            context.print_json(&document(&verified, decisions.as_ref(), target, bytes));
        } else if self.output.is_none() {
            context.print(&verified.draft.text);
        }
        context.tell(sentence(&verified.outcome, target));
        if let Some(decisions) = &decisions {
            context.tell(decisions.sentence(target));
        }
        Ok(match (&verified.outcome, decisions) {
            (Outcome::Identical, _) => Exit::Fine,
            (Outcome::SamePrograms { .. }, _) if single.is_none() || self.check => Exit::Fine,
            (_, Some(Decisions { different, undecided, .. })) if different.is_empty() => {
                if undecided.is_empty() {
                    Exit::Fine
                } else {
                    Exit::Depends
                }
            }
            _ => Exit::No,
        })
    }

    /// What the operations whose programs differ decide.
    fn decisions(
        &self,
        blob: Side<'_>,
        again: Side<'_>,
        differing: &[OpId],
        target: &Target,
    ) -> Result<Decisions, Box<Failure>> {
        // Diagrams of whole systems are full soon, and gates decide.
        let budget = Budget { nodes: 1 << 17, ..Budget::default() };
        let mut comparison = Comparison::new(blob, again, budget).map_err(|error| match error {
            CompareError::Graph { error, .. } => graph_failure(&self.file.path, &error),
            other => Failure::new(Exit::BadInput, CODE_TARGETS, other.to_string()),
        })?;
        let mut decisions =
            Decisions { equal: target.op_table_len() - differing.len(), different: Vec::new(), undecided: Vec::new() };
        for (operation, change) in comparison.changes() {
            match change {
                _ if !differing.contains(&operation) => {}
                Change::Equal => decisions.equal += 1,
                Change::Differs { .. } => decisions.different.push(operation),
                Change::Undecided(_) => decisions.undecided.push(operation),
            }
        }
        Ok(decisions)
    }
}

/// Operations of the blob and of the text, by whether they decide alike.
struct Decisions {
    equal: usize,
    different: Vec<OpId>,
    undecided: Vec<OpId>,
}

impl Decisions {
    fn sentence(&self, target: &Target) -> String {
        let mut text = format!("decisions: {} of {} operations decide alike", self.equal, target.op_table_len());
        for (word, operations) in [("otherwise", &self.different), ("undecided", &self.undecided)] {
            if !operations.is_empty() {
                text += &format!("; {word}: {}", names(operations, target).join(", "));
            }
        }
        text
    }

    fn json(&self, target: &Target) -> Value {
        let [different, undecided] = [&self.different, &self.undecided].map(|operations| names(operations, target));
        json!({ "equal": self.equal, "different": different, "undecided": undecided })
    }
}

fn names(operations: &[OpId], target: &Target) -> Vec<&'static str> {
    operations.iter().filter_map(|id| target.get_operation(*id)).map(|row| row.name).collect()
}

fn document(verified: &Verified, decisions: Option<&Decisions>, target: &Target, bytes: &[u8]) -> Value {
    let (outcome, first_difference, operations, message) = match &verified.outcome {
        Outcome::Identical => ("identical", None, Vec::new(), None),
        Outcome::SamePrograms { first_difference } => ("same-programs", Some(*first_difference), Vec::new(), None),
        Outcome::Different { first_difference, operations } => {
            ("different", Some(*first_difference), names(operations, target), None)
        }
        Outcome::Fails(message) => ("fails", None, Vec::new(), Some(message)),
    };
    json!({
        "target": target.name(),
        "version": verified.draft.version,
        "params": verified.draft.params,
        "sha256": sha256(bytes),
        "text": String::from_utf8_lossy(&verified.draft.text),
        "outcome": outcome,
        "first_difference": first_difference,
        "operations": operations,
        "decisions": decisions.map(|decisions| decisions.json(target)),
        "message": message,
        "lost": verified.draft.lost,
    })
}

fn sentence(outcome: &Outcome, target: &Target) -> String {
    match outcome {
        Outcome::Identical => "identical: the text compiles to the same bytes".to_owned(),
        Outcome::SamePrograms { first_difference } => {
            format!("same programs for every operation; first byte that differs: {first_difference:#x}")
        }
        Outcome::Different { first_difference, operations } => format!(
            "different: first byte {first_difference:#x}; {} of {} operations have the same program (--check compares what \
             the others decide), these have not: {}",
            target.op_table_len() - operations.len(),
            target.op_table_len(),
            names(operations, target).join(", ")
        ),
        Outcome::Fails(message) => format!("the text does not compile: {message}"),
    }
}
