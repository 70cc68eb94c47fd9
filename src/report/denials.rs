//! What the profiles refused, each with the rule that did it.

use super::markup::Markup;
use super::verdict::Verdict;
use super::{View, heading, long_table, mark, name, profile_cell, rule_cell};
use crate::probe::artifact::ProbeResult;
use crate::probe::registry::Decision;

/// True when a profile in force refused the probe.
pub(super) fn is_denied(probe: &ProbeResult) -> bool {
    probe.actual == Some(Decision::Deny)
}

pub(super) fn section(main: &mut Markup, view: &View<'_>) {
    main.element("section", &[("id", "denials")], |section| {
        heading(section, "Denials", Some(view.denials));
        if view.denials == 0 {
            return section.leaf("p", &[("class", "quiet")], "None: no profile in force refused a probe.");
        }
        let profiles = view.bundle.results.iter().enumerate();
        let rows: Vec<_> = profiles
            .flat_map(|(number, (id, result))| {
                let denied = result.probes.iter().filter(|probe| is_denied(probe));
                denied.map(move |probe| (number, id, probe))
            })
            .collect();
        let names = ["Profile", "Probe", "Asked in the end", "Refused by", "Expected"];
        long_table(section, "Denials", "denials", &names, &rows, |row, (number, id, probe)| {
            denial(row, view, *number, id, probe);
        });
    });
}

fn denial(row: &mut Markup, view: &View<'_>, number: usize, id: &str, probe: &ProbeResult) {
    profile_cell(row, view, number, id);
    row.element("td", &[], |cell| {
        name(cell, probe.path.as_deref().unwrap_or(""));
        cell.leaf("small", &[], &probe.operation);
    });
    row.element("td", &[], |cell| {
        let Some(by) = &probe.decided_by else { return };
        if Some(by.argument.as_str()) != probe.path.as_deref() {
            name(cell, &by.argument);
        }
        cell.leaf("small", &[], &by.operation);
    });
    row.element("td", &[], |cell| rule_cell(cell, view, number, probe));
    let verdict = Verdict::of(probe);
    row.element("td", &[("class", verdict.class())], |cell| {
        mark(cell, verdict.symbol(), verdict.words());
    });
}
