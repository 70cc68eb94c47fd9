//! The lanes beside the scenario: what came without a profile, what the oracle said, what the log shows. None of them decides.

use std::collections::HashMap;

use serde_json::Value;

use super::markup::Markup;
use super::verdict::outcome;
use super::{Bundle, View, heading, long_table, name, named, profile_cell};
use crate::probe::artifact::{BaselineResult, ObserverResult, OracleResult, ProbeResult};
use crate::probe::registry::Decision;

/// What the lanes have of one probe.
struct Row<'a> {
    number: usize,
    id: &'a str,
    probe: &'a ProbeResult,
    baseline: Option<&'a BaselineResult>,
    oracle: Vec<&'a OracleResult>,
    observer: Option<&'a ObserverResult>,
}

impl Row<'_> {
    /// Whether a lane says more than that everything is permitted without a profile.
    fn says_something(&self) -> bool {
        let refused = self.baseline.is_some_and(|row| row.status == Decision::Deny || row.error.is_some());
        refused || !self.oracle.is_empty() || self.observer.is_some_and(|seen| seen.witness)
    }
}

pub(super) fn section(main: &mut Markup, view: &View<'_>) {
    main.element("section", &[("id", "lanes")], |section| {
        heading(section, "Lanes", None);
        section.element("dl", &[("class", "facts")], |list| {
            for (lane, words) in states(view.bundle) {
                list.element("div", &[], |row| {
                    row.leaf("dt", &[], lane);
                    row.leaf("dd", &[], &words);
                });
            }
        });
        let rows: Vec<_> = rows(view).into_iter().filter(Row::says_something).collect();
        if rows.is_empty() {
            let text = "No lane says more of a probe than that it is permitted without a profile.";
            return section.leaf("p", &[("class", "quiet")], text);
        }
        let names = ["Profile", "Probe", "Under the profile", "Without a profile", "Oracle", "Log"];
        long_table(section, "Lanes", "lanes", &names, &rows, |cells, row| cells_of(cells, view, row));
    });
}

/// Each lane with what it came to.
fn states(bundle: &Bundle) -> [(&'static str, String); 3] {
    let off = || "off".to_owned();
    let baseline = bundle.baseline.as_ref().map_or_else(off, |lane| {
        let allowed = lane.results.iter().filter(|row| row.status == Decision::Allow).count();
        format!("{allowed} of {} probes permitted without a profile", lane.results.len())
    });
    let oracle = bundle.oracle.as_ref().map_or_else(off, |lane| {
        let kinds = lane.extra.get("calibration").and_then(Value::as_array);
        let calibrated = |rows: &Vec<Value>| {
            let count = rows.iter().filter(|row| row.get("calibrated") == Some(&Value::Bool(true))).count();
            format!("{count} of {} kinds of argument calibrated", rows.len())
        };
        let kinds = kinds.map_or("not calibrated on this backend".to_owned(), calibrated);
        format!("{} answers, {kinds}; an annotation, never a result", lane.results.len())
    });
    let observer = bundle.observer.as_ref().map_or_else(
        || "none on this backend".to_owned(),
        |lane| {
            let entries: usize = lane.results.iter().map(|row| row.entries.len()).sum();
            let reason = lane.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            let others = lane.unmatched;
            format!(
                "{}{reason}; {entries} entries of probes, {others} of others; no entry is no witness",
                named(&lane.status)
            )
        },
    );
    [("baseline", baseline), ("oracle", oracle), ("log", observer)]
}

fn rows<'a>(view: &View<'a>) -> Vec<Row<'a>> {
    let bundle = view.bundle;
    let mut baseline: HashMap<(&str, &str, &str, &str), &BaselineResult> = HashMap::new();
    for row in bundle.baseline.iter().flat_map(|lane| &lane.results) {
        baseline.insert((&row.profile_id, &row.probe_name, &row.operation, &row.target), row);
    }
    // Neither document names a profile, and ids may stand in several: both are in the order of the probes.
    let mut oracle = bundle.oracle.iter().flat_map(|lane| &lane.results).peekable();
    let mut observed = bundle.observer.iter().flat_map(|lane| &lane.results).peekable();
    let results = bundle.results.iter().enumerate();
    results
        .flat_map(|(number, (id, result))| result.probes.iter().map(move |probe| (number, id.as_str(), probe)))
        .map(|(number, id, probe)| {
            let text = |text: &'a Option<String>| text.as_deref().unwrap_or("");
            let answers = std::iter::from_fn(|| oracle.next_if(|row| row.expectation_id == probe.expectation_id));
            Row {
                number,
                id,
                probe,
                baseline: baseline.get(&(id, text(&probe.name), &*probe.operation, text(&probe.path))).copied(),
                oracle: answers.collect(),
                observer: observed.next_if(|row| row.expectation_id == probe.expectation_id),
            }
        })
        .collect()
}

fn cells_of(cells: &mut Markup, view: &View<'_>, row: &Row<'_>) {
    profile_cell(cells, view, row.number, row.id);
    cells.element("td", &[], |cell| {
        name(cell, row.probe.path.as_deref().unwrap_or(""));
        cell.leaf("small", &[], &row.probe.operation);
    });
    cells.leaf("td", &[], &outcome(row.probe));
    cells.element("td", &[], |cell| match row.baseline {
        Some(baseline) => {
            cell.text(baseline.status.name());
            if let Some(error) = &baseline.error {
                cell.leaf("small", &[], error);
            }
        }
        None => cell.leaf("span", &[("class", "quiet")], "not asked"),
    });
    cells.element("td", &[], |cell| {
        for answer in &row.oracle {
            cell.text(answer.decision.as_deref().unwrap_or("no answer"));
            cell.text(" ");
            name(cell, answer.argument.as_deref().unwrap_or(""));
            let calibrated = answer.extra.get("calibrated") == Some(&Value::Bool(true));
            let kind = answer.filter_type_name.as_deref().unwrap_or("no argument");
            let words = if calibrated { "calibrated" } else { "not calibrated: no argument for anything" };
            cell.leaf("small", &[], &format!("{kind}, {words}"));
        }
    });
    cells.element("td", &[], |cell| {
        for entry in row.observer.iter().flat_map(|seen| &seen.entries) {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or("");
            cell.text(&format!("{} {} ", named(&entry.get("verdict")), text("operation")));
            name(cell, text("argument"));
        }
    });
}
