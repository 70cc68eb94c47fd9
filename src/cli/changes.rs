//! What the semantic comparison found, as text and JSON.

use serde_json::{Value, json};

use crate::decide::Request;
use crate::diff::semantic::Change;
use crate::vocab::{OpId, Target};

/// Operations by what happens to them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) equal: usize,
    pub(super) widened: usize,
    pub(super) narrowed: usize,
    pub(super) both: usize,
    pub(super) undecided: usize,
}

impl Counts {
    pub(super) fn of(changes: &[(OpId, Change)]) -> Self {
        let mut counts = Self::default();
        for (_, change) in changes {
            *match change {
                Change::Equal => &mut counts.equal,
                Change::Differs { widened: Some(_), narrowed: Some(_) } => &mut counts.both,
                Change::Differs { widened: Some(_), narrowed: None } => &mut counts.widened,
                Change::Differs { .. } => &mut counts.narrowed,
                Change::Undecided(_) => &mut counts.undecided,
            } += 1;
        }
        counts
    }

    pub(super) fn differing(self) -> usize {
        self.widened + self.narrowed + self.both
    }

    pub(super) fn json(self) -> Value {
        json!({
            "equal": self.equal,
            "widened": self.widened,
            "narrowed": self.narrowed,
            "both": self.both,
            "undecided": self.undecided,
        })
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} equal, {} widened, {} narrowed, {} both", self.equal, self.widened, self.narrowed, self.both)?;
        if self.undecided > 0 {
            write!(f, ", {} undecided", self.undecided)?;
        }
        Ok(())
    }
}

/// The names of `operations`.
pub(super) fn names(target: &Target, operations: &[OpId]) -> Vec<&'static str> {
    operations.iter().map(|operation| target.operation(*operation).name).collect()
}

/// The values of a request as `decide --arg` takes them.
pub(super) fn request_text(target: &Target, request: &Request) -> String {
    match request.words(target) {
        words if words.is_empty() => "any request".to_owned(),
        words => words.join(" "),
    }
}

/// One row an operation.
pub(super) fn rows(target: &Target, changes: &[(OpId, Change)]) -> Vec<Value> {
    let witness = |request: &Option<Request>| request.as_ref().map(|request| request.words(target));
    let row = |(operation, change): &(OpId, Change)| {
        let mut row = json!({ "operation": target.operation(*operation).name, "change": change.name() });
        match change {
            Change::Equal => {}
            Change::Differs { widened, narrowed } => {
                row["widened"] = json!(witness(widened));
                row["narrowed"] = json!(witness(narrowed));
            }
            Change::Undecided(reason) => row["reason"] = json!(reason.to_string()),
        }
        row
    };
    changes.iter().map(row).collect()
}

/// The operations that are not equal; those that change alike are told together.
pub(super) fn text(target: &Target, changes: &[(OpId, Change)]) -> String {
    let mut groups: Vec<(String, Vec<OpId>)> = Vec::new();
    for (operation, change) in changes.iter().filter(|(_, change)| *change != Change::Equal) {
        let text = change_text(target, change);
        match groups.iter_mut().find(|(known, _)| *known == text) {
            Some((_, operations)) => operations.push(*operation),
            None => groups.push((text, vec![*operation])),
        }
    }
    let shown = groups.iter().map(|(text, operations)| format!("{}\n{text}", names(target, operations).join(", ")));
    shown.collect()
}

fn change_text(target: &Target, change: &Change) -> String {
    match change {
        Change::Equal => String::new(),
        Change::Undecided(reason) => format!("  undecided: {reason}\n"),
        Change::Differs { widened, narrowed } => {
            let mut text = String::new();
            if let Some(request) = widened {
                text.push_str(&format!("  widened: {} (A denies, B allows)\n", request_text(target, request)));
            }
            if let Some(request) = narrowed {
                text.push_str(&format!("  narrowed: {} (A allows, B denies)\n", request_text(target, request)));
            }
            text
        }
    }
}
