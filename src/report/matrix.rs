//! The matrix: what every probe came to, by profile and probe.

use indexmap::IndexMap;

use super::markup::Markup;
use super::verdict::{Verdict, decision, outcome};
use super::{MAX_ROWS, View, heading, profile_name, wide_table};
use crate::probe::artifact::{ProbeResult, ProfileResult};

/// Profiles side by side in one table. More of them make another table below: no table is wider than a page can show, and
/// cells are at most this many times the probes.
const COLUMNS: usize = 8;

pub(super) fn section(main: &mut Markup, view: &View<'_>) {
    main.element("section", &[("id", "matrix")], |section| {
        heading(section, "Matrix", None);
        section.element("p", &[("class", "legend")], |legend| {
            for verdict in Verdict::ALL {
                legend.element("span", &[("class", verdict.class())], |item| {
                    item.leaf("i", &[], verdict.symbol());
                    item.text(" ");
                    item.text(verdict.words());
                });
                legend.text(" ");
            }
            legend.text("Each answer leads to the rule that gave it.");
        });
        let profiles: Vec<_> = view.bundle.results.iter().enumerate().collect();
        // As many tables as it takes, each about as wide as the others.
        let tables = profiles.len().div_ceil(COLUMNS).max(1);
        for group in profiles.chunks(profiles.len().div_ceil(tables).max(1)) {
            table(section, view, group);
        }
        section.leaf("p", &[("class", "nothing"), ("hidden", "")], "No probe has all of these words.");
    });
}

type Column<'a> = (usize, (&'a String, &'a ProfileResult));

/// A row of the matrix: the probes of one name and target, by column.
type Row<'a> = [Option<&'a ProbeResult>; COLUMNS];

/// What a row stands for: probe name, target, and the how-manieth of these in its profile.
type RowKey<'a> = (&'a str, &'a str, usize);

fn table(section: &mut Markup, view: &View<'_>, group: &[Column<'_>]) {
    let operations = rows(group);
    let names: Vec<&str> = group.iter().map(|(_, (id, _))| id.as_str()).collect();
    let label = format!("Matrix of {}", names.join(", "));
    let all: Vec<_> = operations.iter().flat_map(|(name, rows)| rows.iter().map(move |row| (*name, row))).collect();
    for part in all.chunks(MAX_ROWS) {
        wide_table(section, &label, "matrix", part.len() == MAX_ROWS, |table| {
            head(table, view, group);
            for operation in part.chunk_by(|(a, _), (b, _)| a == b) {
                table.line_end();
                table.element("tbody", &[], |body| {
                    let (name, span) = (operation.first().map_or("", |(name, _)| name), (group.len() + 1).to_string());
                    body.element("tr", &[("class", "group")], |row| {
                        row.leaf("th", &[("scope", "rowgroup"), ("colspan", &span)], name);
                    });
                    operation.iter().for_each(|(_, (key, cells))| table_row(body, view, group, key, cells));
                });
            }
        });
    }
}

fn head(table: &mut Markup, view: &View<'_>, group: &[Column<'_>]) {
    table.element("thead", &[], |head| {
        head.element("tr", &[], |row| {
            row.leaf("th", &[("scope", "col")], "Probe");
            for (number, (id, _)) in group {
                let attributes = [("scope", "col"), ("data-profile", &*number.to_string())];
                row.element("th", &attributes, |cell| profile_name(cell, view, *number, id));
            }
        });
    });
}

fn rows<'a>(group: &[Column<'a>]) -> IndexMap<&'a str, IndexMap<RowKey<'a>, Row<'a>>> {
    let mut operations: IndexMap<&str, IndexMap<RowKey<'_>, Row<'_>>> = IndexMap::new();
    for (column, (_, (_, result))) in group.iter().enumerate() {
        let mut seen: IndexMap<(&str, &str, &str), usize> = IndexMap::new();
        for probe in &result.probes {
            let (name, target) = (probe.name.as_deref().unwrap_or(""), probe.path.as_deref().unwrap_or(""));
            let nth = seen.entry((&probe.operation, name, target)).or_default();
            let row = operations.entry(&probe.operation).or_default().entry((name, target, *nth)).or_default();
            if let Some(cell) = row.get_mut(column) {
                *cell = Some(probe);
            }
            *nth += 1;
        }
    }
    operations
}

fn table_row(body: &mut Markup, view: &View<'_>, group: &[Column<'_>], key: &RowKey<'_>, cells: &Row<'_>) {
    let (name, target, _) = *key;
    body.line_end();
    body.element("tr", &[("class", "row")], |row| {
        row.element("th", &[("scope", "row")], |head| {
            super::name(head, if target.is_empty() { name } else { target });
            // Most names only repeat the target: `read_/etc/hosts`.
            if !target.is_empty() && !name.ends_with(target) {
                head.text(" ");
                head.leaf("small", &[], name);
            }
        });
        for ((number, _), probe) in group.iter().zip(cells) {
            match probe {
                Some(probe) => cell(row, view, *number, probe),
                None => row.void("td", &[]),
            }
        }
    });
}

fn cell(row: &mut Markup, view: &View<'_>, number: usize, probe: &ProbeResult) {
    let verdict = Verdict::of(probe);
    let word = outcome(probe);
    let class = probe
        .actual
        .map_or_else(|| verdict.class().to_owned(), |actual| format!("{} {}", verdict.class(), actual.name()));
    row.element("td", &[("class", &class)], |cell| {
        let words = |inside: &mut Markup| {
            inside.leaf("i", &[], verdict.symbol());
            inside.text(" ");
            inside.text(&word);
        };
        match view.rule_link(number, probe) {
            Some(link) => cell.element("a", &[("href", &link)], words),
            None => cell.element("span", &[], words),
        }
        match verdict {
            Verdict::AsExpected => {}
            Verdict::BlockedAsExpected => cell.leaf("small", &[], "as expected"),
            Verdict::Mismatch | Verdict::Blocked | Verdict::Undecided => {
                cell.leaf("small", &[], &format!("mismatch: expected {}", expected(view, number, probe)));
            }
        }
    });
}

/// What should have come of a probe, in words.
pub(super) fn expected(view: &View<'_>, number: usize, probe: &ProbeResult) -> String {
    match view.bundle.results.get_index(number).and_then(|(_, result)| result.expected_block) {
        Some(stage) => format!("a block at {}", stage.name()),
        None => decision(probe.expected).to_owned(),
    }
}
