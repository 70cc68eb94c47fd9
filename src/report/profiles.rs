//! Profile by profile: what it was made of, what the shims changed, and its text.

use super::code::{self, Overlay};
use super::markup::Markup;
use super::{View, heading, long_table, mark, name, named, profile_anchor};
use crate::probe::artifact::{ChangedOperations, ProfileDiff, ProfileResult};
use crate::sandbox::Stage;

/// Lines of a text that is shown unfolded.
const UNFOLDED: usize = 150;

pub(super) fn section(main: &mut Markup, view: &View<'_>) {
    main.element("section", &[("id", "profiles")], |section| {
        heading(section, "Profiles", Some(view.bundle.results.len()));
        for (number, (id, result)) in view.bundle.results.iter().enumerate() {
            section.line_end();
            profile(section, view, number, id, result);
        }
    });
}

/// Operations of a change that are shown unfolded.
const FIRST_OPERATIONS: usize = 12;

fn profile(section: &mut Markup, view: &View<'_>, number: usize, id: &str, result: &ProfileResult) {
    let diff = view.bundle.diffs.as_ref().and_then(|diffs| diffs.profiles.get(id));
    let attributes = [("id", &*profile_anchor(number)), ("class", "profile"), ("data-profile", &*number.to_string())];
    section.element("article", &attributes, |article| {
        article.leaf("h3", &[], id);
        facts(article, result, diff);
        text(article, view, number, result, diff);
        if let Some(diff) = diff {
            meaning(article, id, diff);
        }
    });
}

fn facts(article: &mut Markup, result: &ProfileResult, diff: Option<&ProfileDiff>) {
    let compiled = result.stages.get(&Stage::Compile);
    let fact = |name: &str| compiled.and_then(|report| report.facts.get(name)).and_then(|value| value.as_str());
    let preflight = result.preflight.as_ref().map(|record| named(&record.classification));
    let shims = diff.map(|diff| if diff.shims.is_empty() { "none".to_owned() } else { diff.shims.join(", ") });
    let rows = [
        ("made of", result.base_profile_path.as_deref()),
        ("put in force", result.profile_path.as_deref()),
        ("shims", shims.as_deref()),
        ("preflight", preflight.as_deref()),
        ("SHA-256", fact("sha256")),
        ("notes", result.notes.as_deref()),
    ];
    article.element("dl", &[("class", "facts")], |list| {
        for (name, value) in rows.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            list.element("div", &[], |row| {
                row.leaf("dt", &[], name);
                row.leaf("dd", &[], value);
            });
        }
    });
}

fn text(article: &mut Markup, view: &View<'_>, number: usize, result: &ProfileResult, diff: Option<&ProfileDiff>) {
    let Some(bytes) = result.profile_path.as_deref().and_then(|path| view.bundle.profiles.get(path)) else {
        return article.leaf("p", &[("class", "quiet")], "The bundle does not hold its text.");
    };
    if result.profile_path.as_deref().is_some_and(|path| path.ends_with(".bin")) {
        return article.leaf("p", &[("class", "quiet")], &format!("A compiled profile of {} bytes.", bytes.len()));
    }
    let unified = diff.map_or("", |diff| &diff.text);
    let overlay = Overlay::of(unified, bytes);
    let shown = overlay.unwrap_or_default();
    let summary = match (unified.is_empty(), shown == Overlay::default()) {
        (true, _) => format!("{} lines, as they were given", code::lines(bytes)),
        (false, true) => format!("{} lines, changed by the shims", code::lines(bytes)),
        (false, false) => format!(
            "{} lines: {} added and {} removed by the shims",
            code::lines(bytes),
            shown.added.len(),
            shown.removed.values().map(Vec::len).sum::<usize>()
        ),
    };
    let open: &[(&'static str, &str)] = if code::lines(bytes) <= UNFOLDED { &[("open", "")] } else { &[] };
    article.element("details", open, |details| {
        details.leaf("summary", &[], &summary);
        code::listing(details, number, bytes, &shown);
        if !unified.is_empty() && shown == Overlay::default() {
            // A diff that is not of this text is shown as it stands.
            details.leaf("pre", &[("class", "code")], unified);
        }
    });
}

/// What the shims widen and narrow, over all requests.
fn meaning(article: &mut Markup, id: &str, diff: &ProfileDiff) {
    let quiet = |article: &mut Markup, text: &str| article.leaf("p", &[("class", "quiet")], text);
    let changes = match (&diff.semantic, &diff.error) {
        _ if diff.text.is_empty() => return,
        (_, Some(error)) => return quiet(article, &format!("What that means cannot be said: {error}")),
        (None, None) => return quiet(article, "What that means was not asked."),
        (Some(changes), None) => changes,
    };
    if changes.is_empty() {
        return quiet(article, "The shims change no answer to any request.");
    }
    article.leaf("h4", &[], "What the shims change, over all requests");
    let names = ["Operations", "Change", "A request that shows it"];
    long_table(article, &format!("What the shims change in {id}"), "meaning", &names, changes, changed);
}

/// Names, separated by commas.
fn names(cell: &mut Markup, all: &[String]) {
    for (at, one) in all.iter().enumerate() {
        cell.text(if at == 0 { "" } else { ", " });
        name(cell, one);
    }
}

fn changed(row: &mut Markup, change: &ChangedOperations) {
    row.element("th", &[("scope", "row")], |cell| {
        let (first, more) = change.operations.split_at(change.operations.len().min(FIRST_OPERATIONS));
        names(cell, first);
        if !more.is_empty() {
            cell.element("details", &[], |details| {
                details.leaf("summary", &[], &format!("and {} more", more.len()));
                names(details, more);
            });
        }
    });
    let (class, symbol) = match change.change.as_str() {
        "widened" => ("open", "+"),
        "narrowed" => ("held", "−"),
        "both" => ("open", "±"),
        _ => ("stop", "?"),
    };
    row.element("td", &[("class", class)], |cell| mark(cell, symbol, &named(&change.change)));
    row.element("td", &[], |cell| {
        for (request, answer) in
            [(&change.widened, "refused before, allowed now"), (&change.narrowed, "allowed before, refused now")]
        {
            let Some(words) = request else { continue };
            let words = if words.is_empty() { "any request".to_owned() } else { words.join(" ") };
            name(cell, &words);
            cell.leaf("small", &[], answer);
        }
        if let Some(reason) = &change.reason {
            cell.leaf("small", &[], reason);
        }
    });
}
