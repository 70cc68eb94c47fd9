//! The observer's document: entries of the system's log, joined to the probes by process id.

use std::collections::BTreeSet;

use serde_json::{Map, json};

use super::Joined;
use crate::probe::artifact::{ObserverResult, ObserverResults};
use crate::probe::run::Documents;
use crate::probe::tag;
use crate::sandbox::Observed;
use crate::sandbox::log::{Entry, Layer};

/// What was seen since the run began.
pub(super) fn results(documents: &Documents<'_>, joined: &[Joined<'_>], observed: &Observed) -> ObserverResults {
    let word = json!(observed.status).as_str().unwrap_or_default().to_owned();
    let mut pids = BTreeSet::new();
    let results = joined.iter().map(|row| row.probe).map(|probe| {
        let pid = probe.extra.get("pid").and_then(|pid| u32::try_from(pid.as_u64()?).ok());
        pids.extend(pid.map(i64::from));
        let mine = |entry: &&Entry| entry.layer == Layer::Sandbox && pid.is_some_and(|pid| entry.pid == i64::from(pid));
        let entries: Vec<_> = observed.entries.iter().filter(mine).map(|entry| json!(entry)).collect();
        ObserverResult {
            expectation_id: probe.expectation_id.clone(),
            pid,
            witness: !entries.is_empty(),
            entries,
            extra: Map::new(),
        }
    });
    let results = results.collect();
    let others = observed.entries.iter().filter(|entry| entry.layer == Layer::Sandbox && !pids.contains(&entry.pid));
    ObserverResults {
        head: documents.head(tag::OBSERVER_RESULTS),
        status: word,
        reason: observed.reason.clone(),
        command: observed.command.clone(),
        notices: observed.notices.iter().map(|notice| json!(notice)).collect(),
        unmatched: others.count() as u64,
        results,
        extra: Map::new(),
    }
}
