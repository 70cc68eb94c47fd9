//! How far each profile came: one row a profile, one column a stage.

use super::markup::Markup;
use super::{View, heading, long_table, mark, profile_cell};
use crate::probe::artifact::{ProfileResult, ProfileStatus, StageReport, StageStatus};
use crate::sandbox::Stage;

pub(super) fn section(main: &mut Markup, view: &View<'_>) {
    main.element("section", &[("id", "stages")], |section| {
        heading(section, "Stages", None);
        let names: Vec<&str> =
            std::iter::once("Profile").chain(Stage::ALL.map(Stage::name)).chain(["probes"]).collect();
        let rows: Vec<_> = view.bundle.results.iter().enumerate().collect();
        long_table(section, "Stages by profile", "stages", &names, &rows, |row, (number, (id, result))| {
            profile_cell(row, view, *number, id);
            Stage::ALL.into_iter().for_each(|stage| stage_cell(row, result, stage));
            status_cell(row, result);
        });
    });
}

/// Class, symbol and word for how a stage ended; `as_expected` for the stage at which a block was expected.
pub(super) fn shown(status: StageStatus, as_expected: bool) -> (&'static str, &'static str, &'static str) {
    match status {
        StageStatus::Ok => ("ok", "✓", "ok"),
        StageStatus::Blocked if as_expected => ("held", "◼", "blocked, as expected"),
        StageStatus::Blocked => ("stop", "▲", "blocked"),
        StageStatus::Failed => ("open", "!", "failed"),
        StageStatus::NotReached => ("none", "·", "not reached"),
        StageStatus::NotApplicable => ("none", "–", "no such stage"),
    }
}

fn stage_cell(row: &mut Markup, result: &ProfileResult, stage: Stage) {
    let Some(report) = result.stages.get(&stage) else {
        return row.leaf("td", &[("class", "none")], "not recorded");
    };
    let (class, symbol, word) = shown(report.status, result.expected_block == Some(stage));
    row.element("td", &[("class", class)], |cell| {
        mark(cell, symbol, word);
        if let Some(detail) = detail(report) {
            cell.leaf("small", &[], &detail);
        }
    });
}

/// The stage's message, or the size of what it made.
fn detail(report: &StageReport) -> Option<String> {
    let size = || report.facts.get("size_bytes").and_then(|size| Some(format!("{} bytes", size.as_u64()?)));
    report.message.clone().or_else(size)
}

fn status_cell(row: &mut Markup, result: &ProfileResult) {
    let (class, symbol, word) = match result.status {
        ProfileStatus::Ok => ("ok", "✓", "ok"),
        ProfileStatus::Partial => ("bad", "✗", "partial"),
        ProfileStatus::Blocked if result.expected_block.is_some() => ("held", "◼", "blocked"),
        ProfileStatus::Blocked => ("stop", "▲", "blocked"),
    };
    let all = result.probes.len();
    let matched = result.probes.iter().filter(|probe| probe.matches == Some(true)).count();
    row.element("td", &[("class", class)], |cell| {
        mark(cell, symbol, word);
        cell.leaf("small", &[], &format!("{matched} of {all} as expected"));
    });
}
