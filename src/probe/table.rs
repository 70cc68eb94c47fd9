//! The table of a run: one line a probe, for people and for `summary.md`.

use super::artifact::{RuntimeResults, Summary};
use crate::sandbox::Stage;

/// One line of the table that a run shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Profile id.
    pub profile: String,
    /// Probe name.
    pub probe: String,
    /// `allow`, `deny`, or `blocked`.
    pub expected: &'static str,
    /// `allow`, `deny`, `blocked`, or `unknown`.
    pub actual: &'static str,
    /// Whether it is as expected.
    pub matches: bool,
    /// The furthest stage.
    pub stage: Stage,
}

/// What stands in a [`Row`] for a probe whose profile was stopped before the operation.
pub(super) const BLOCKED: &str = "blocked";

pub(super) fn rows(results: &RuntimeResults) -> Vec<Row> {
    let rows = results.iter().flat_map(|(id, profile)| {
        profile.probes.iter().map(move |probe| {
            let stage = probe.stage.unwrap_or(Stage::Operation);
            let expected = match profile.expected_block {
                Some(_) => BLOCKED,
                None => probe.expected.map_or("unknown", |expected| expected.name()),
            };
            let actual = match probe.actual {
                Some(actual) => actual.name(),
                None if stage < Stage::Operation => BLOCKED,
                None => "unknown",
            };
            let probe_name = probe.name.clone().unwrap_or_default();
            let matches = probe.matches == Some(true);
            Row { profile: id.clone(), probe: probe_name, expected, actual, matches, stage }
        })
    });
    rows.collect()
}

/// `summary.md`.
pub(super) fn markdown(summary: &Summary, mismatches: usize, rows: &[Row]) -> String {
    let mut text = String::from("# Runtime Summary\n\n");
    for (name, value) in [
        ("Status", summary.status.clone()),
        ("Plan", summary.plan_id.clone()),
        ("Channel", summary.channel.clone()),
        ("Profiles", summary.profile_count.to_string()),
        ("Scenarios", summary.scenario_count.to_string()),
    ] {
        text.push_str(&format!("{name}: {value}\n"));
    }
    let count = if mismatches == 0 { "none".to_owned() } else { mismatches.to_string() };
    text.push_str(&format!("Mismatches: {count}\n"));
    if rows.is_empty() {
        return text;
    }
    text.push_str("\n| profile | probe | expected | actual | match | stage |\n| --- | --- | --- | --- | --- | --- |\n");
    for row in rows {
        let cells = [&row.profile, &row.probe].map(|cell| cell.replace('|', "\\|").replace(['\n', '\r'], " "));
        let matches = if row.matches { "yes" } else { "no" };
        let [profile, probe] = cells;
        text.push_str(&format!(
            "| {profile} | {probe} | {} | {} | {matches} | {} |\n",
            row.expected,
            row.actual,
            row.stage.name()
        ));
    }
    text
}
