//! One page about one run: the bundle in, HTML out.
//!
//! The page is a single file that needs nothing else: it reads from `file://`, on paper, with a keyboard, without a script
//! (only the filter box needs one). It shows what the documents of the bundle say and adds no judgement of its own.
//!
//! - [`Bundle::load`] reads and verifies, [`page`] renders;
//! - `markup` is the only module that writes markup; one module renders one section;
//! - `report.css` and `report.js` are put in as they are; the page's content security policy allows these two by their
//!   digest and nothing else.
//!
//! **Invariants**
//! - Everything in a bundle is hostile: it becomes text or a quoted attribute value, never markup, never an address.
//! - Addresses lead to anchors of the page, whose names are numbers of ours.
//! - The same bundle gives the same bytes. The size of the page is linear in the size of the bundle.
//! - What a colour says, a word says too.

mod assets;
mod bundle;
mod code;
mod denials;
mod head;
mod lanes;
mod markup;
mod matrix;
mod mismatches;
mod profiles;
mod stages;
mod verdict;

pub use bundle::Bundle;

use std::collections::HashMap;

use markup::Markup;
use serde::Serialize;
use serde_json::Value;

use crate::probe::artifact::{DecidedBy, ProbeResult};
use verdict::Verdict;

/// The page about `bundle`.
pub fn page(bundle: &Bundle) -> String {
    let view = View::of(bundle);
    let mut page = Markup::document();
    page.element("html", &[("lang", "en")], |html| {
        html.line_end();
        head::head(html, &view);
        html.element("body", &[], |body| {
            head::header(body, &view);
            body.element("main", &[("id", "content")], |main| {
                matrix::section(main, &view);
                stages::section(main, &view);
                mismatches::section(main, &view);
                denials::section(main, &view);
                lanes::section(main, &view);
                profiles::section(main, &view);
            });
            head::footer(body, &view);
            body.asset("script", assets::SCRIPT);
        });
        html.line_end();
    });
    page.line_end();
    page.finish()
}

/// A bundle with what several sections need to know about it.
struct View<'a> {
    bundle: &'a Bundle,
    /// How many probes came to what, in the order of [`Verdict::ALL`].
    counts: [usize; Verdict::ALL.len()],
    /// Probes that the profile refused.
    denials: usize,
    /// Lines of each profile that are on the page.
    lines: Vec<usize>,
    /// Number of the profile with that id.
    numbers: HashMap<&'a str, usize>,
}

impl<'a> View<'a> {
    fn of(bundle: &'a Bundle) -> Self {
        let probes = || bundle.results.values().flat_map(|result| &result.probes);
        let lines =
            |path: Option<&str>| path.and_then(|path| bundle.profiles.get(path)).map_or(0, |text| code::lines(text));
        Self {
            bundle,
            counts: Verdict::ALL.map(|verdict| probes().filter(|probe| Verdict::of(probe) == verdict).count()),
            denials: probes().filter(|probe| denials::is_denied(probe)).count(),
            lines: bundle.results.values().map(|result| lines(result.profile_path.as_deref())).collect(),
            numbers: bundle.results.keys().enumerate().map(|(number, id)| (id.as_str(), number)).collect(),
        }
    }

    /// The profile's anchor as an address.
    fn profile_link(&self, number: usize) -> String {
        format!("#{}", profile_anchor(number))
    }

    /// The address of the rule that decided, when its line is on the page.
    fn rule_link(&self, number: usize, probe: &ProbeResult) -> Option<String> {
        let DecidedBy { file: Some(file), line: Some(line), .. } = probe.decided_by.as_ref()? else { return None };
        let (_, result) = self.bundle.results.get_index(number)?;
        let shown = self.lines.get(number).is_some_and(|&lines| (1..=lines).contains(&(*line as usize)));
        (shown && result.profile_path.as_deref() == Some(file))
            .then(|| format!("#{}", line_anchor(number, *line as usize)))
    }
}

fn profile_anchor(number: usize) -> String {
    format!("p{number}")
}

fn line_anchor(number: usize, line: usize) -> String {
    format!("p{number}-l{line}")
}

/// Rows of one table. Longer lists are cut into tables of this many, so that a browser lays out what it shows only.
const MAX_ROWS: usize = 200;

/// A list as tables under one head.
fn long_table<T>(
    page: &mut Markup,
    label: &str,
    class: &str,
    names: &[&str],
    rows: &[T],
    row: impl Fn(&mut Markup, &T),
) {
    for part in rows.chunks(MAX_ROWS) {
        wide_table(page, label, class, part.len() == MAX_ROWS, |table| {
            columns(table, names);
            table.element("tbody", &[], |body| {
                for item in part {
                    body.line_end();
                    body.element("tr", &[("class", "row")], |inside| row(inside, item));
                }
            });
        });
    }
}

/// A table that can be wider than the window: it scrolls by itself, with the keyboard too. A full one is laid out when it
/// comes into view.
fn wide_table(page: &mut Markup, label: &str, class: &str, is_full: bool, content: impl FnOnce(&mut Markup)) {
    let part = if is_full { "scroll full" } else { "scroll" };
    let scrolls = [("class", part), ("role", "region"), ("aria-label", label), ("tabindex", "0")];
    page.line_end();
    page.element("div", &scrolls, |region| region.element("table", &[("class", class)], content));
}

/// The head of a table.
fn columns(table: &mut Markup, names: &[&str]) {
    table.element("thead", &[], |head| {
        head.element("tr", &[], |row| names.iter().for_each(|name| row.leaf("th", &[("scope", "col")], name)));
    });
}

/// A symbol and its word, on one line.
fn mark(page: &mut Markup, symbol: &str, word: &str) {
    page.element("span", &[("class", "mark")], |mark| {
        mark.leaf("i", &[], symbol);
        mark.text(" ");
        mark.text(word);
    });
}

/// A path or another name as the machine writes it.
fn name(page: &mut Markup, text: &str) {
    page.element("code", &[], |code| code.breakable(text));
}

/// A heading with a number beside it.
fn heading(section: &mut Markup, title: &str, count: Option<usize>) {
    section.element("h2", &[], |heading| {
        heading.text(title);
        if let Some(count) = count {
            heading.text(" ");
            heading.leaf("span", &[("class", "count")], &count.to_string());
        }
    });
}

/// A word of the documents as people read it: `unexpected_deny` is `unexpected deny`.
fn named(word: &impl Serialize) -> String {
    match serde_json::to_value(word) {
        Ok(Value::String(word)) => word.replace('_', " "),
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

/// The profile's id, as a link to its section.
fn profile_name(cell: &mut Markup, view: &View<'_>, number: usize, id: &str) {
    cell.element("a", &[("href", &view.profile_link(number))], |link| link.breakable(id));
}

/// The head of a profile's row.
fn profile_cell(row: &mut Markup, view: &View<'_>, number: usize, id: &str) {
    row.element("th", &[("scope", "row")], |cell| profile_name(cell, view, number, id));
}

/// The deciding rule and its place, as a link when its line is on the page.
fn rule_cell(cell: &mut Markup, view: &View<'_>, number: usize, probe: &ProbeResult) {
    let Some(by) = &probe.decided_by else { return cell.leaf("span", &[("class", "quiet")], "not known") };
    match &by.rule {
        Some(rule) => cell.leaf("code", &[], rule),
        None => cell.leaf("span", &[("class", "quiet")], "no rule of the text"),
    }
    let Some(line) = by.line else { return };
    cell.text(" ");
    match (view.rule_link(number, probe), &by.file) {
        (Some(link), _) => cell.leaf("a", &[("href", &link), ("class", "place")], &format!("line {line}")),
        (None, Some(file)) => cell.leaf("span", &[("class", "place")], &format!("{file}:{line}")),
        (None, None) => {}
    }
}
