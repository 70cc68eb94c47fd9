//! What to do about an error: names that were perhaps meant, systems that know a name, parameters that were not given.

use super::directive;
use super::error::ProfileError;
use super::host::Evaluator;
use crate::diag::Diagnostic;
use crate::policy::Policy;
use crate::scheme::{ErrorKind, Fail, Limit, Machine, Value};
use crate::syntax::template_hint;
use crate::vocab::{self, Target};

/// How many suggestions are made.
const SUGGESTIONS: usize = 3;

/// Adds hints to the diagnostic of `error`.
pub(super) fn explain<'a>(machine: &Machine<Evaluator<'a>>, error: &Fail<Evaluator<'a>>, diagnostic: &mut Diagnostic) {
    match &error.kind {
        ErrorKind::Unbound(name) | ErrorKind::UnboundSet(name) => unbound(machine, name, diagnostic),
        ErrorKind::ArgumentType { index, .. } => missing_parameter(machine, error, *index, diagnostic),
        ErrorKind::Host(ProfileError::FilterData { index, .. }) => {
            missing_parameter(machine, error, *index, diagnostic);
        }
        ErrorKind::Host(error) => profile(error, diagnostic),
        ErrorKind::Limit(limit) => diagnostic.help.push(raise(match limit {
            Limit::Steps(_) => "steps",
            Limit::Heap(_) => "heap-bytes",
            Limit::Depth(_) => "call-depth",
        })),
        _ => {}
    }
}

fn unbound(machine: &Machine<Evaluator<'_>>, name: &str, diagnostic: &mut Diagnostic) {
    if let Some(hint) = template_hint(name.as_bytes()) {
        diagnostic.help.push(hint.help().to_owned());
        return;
    }
    let target = machine.host.target();
    let Some(version) = machine.host.policy.as_ref().map(Policy::version) else {
        if target.spelling(name, 1).is_some() || directive::find(target, name).is_some() {
            diagnostic.help.push("Nothing of SBPL exists before (version 1): it must be the first form.".to_owned());
        }
        return;
    };
    if let Some(note) = systems(target, name, version) {
        diagnostic.notes.push(note);
    }
    let known = target.spellings(version);
    let mut candidates: Vec<&[u8]> = known.iter().map(|(name, _)| name.as_bytes()).collect();
    for name in directive::names(target).chain(target.enums().values().flatten().map(|entry| entry.symbol)) {
        candidates.push(name.as_bytes());
    }
    candidates.extend(machine.heap.global_names().filter(|name| !name.starts_with(b"%%")));
    let near = nearest(name, candidates.into_iter());
    if !near.is_empty() {
        diagnostic.help.push(format!("Did you mean {}?", near.join(" or ")));
    }
}

/// Where else the name is known.
fn systems(target: &Target, name: &str, version: u8) -> Option<String> {
    let knows = |other: &&Target| other.spelling(name, version).is_some() || other.symbol_value(name).is_some();
    let all: Vec<_> = vocab::target_names().filter_map(|name| vocab::target(name).ok()).collect();
    if let Some(other) = (1..=3).find(|&other| other != version && target.spelling(name, other).is_some()) {
        return Some(format!("{name} exists in SBPL version {other}, not in version {version}"));
    }
    let newer = all.iter().copied().filter(|other| other.age() > target.age()).find(knows);
    let older = all.iter().copied().rev().filter(|other| other.age() < target.age()).find(knows);
    match (newer, older) {
        (Some(newer), _) => Some(format!("{name} exists since {}, not on {}", newer.name(), target.name())),
        (None, Some(older)) => Some(format!("{name} existed until {}, not on {}", older.name(), target.name())),
        (None, None) => None,
    }
}

/// The closest names, best first.
fn nearest<'n>(name: &str, candidates: impl Iterator<Item = &'n [u8]>) -> Vec<String> {
    let limit = match name.len() {
        0..=2 => return Vec::new(),
        3..=5 => 1,
        6..=9 => 2,
        _ => 3,
    };
    let mut found: Vec<(usize, &[u8])> = candidates
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= limit)
        .filter_map(|candidate| Some((distance(name.as_bytes(), candidate, limit)?, candidate)))
        .collect();
    found.sort_unstable();
    found.dedup();
    let best = found.first().map_or(0, |(distance, _)| *distance);
    found.retain(|(distance, _)| *distance == best);
    found.iter().take(SUGGESTIONS).map(|(_, name)| String::from_utf8_lossy(name).into_owned()).collect()
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`; `None` above `limit`.
fn distance(a: &[u8], b: &[u8], limit: usize) -> Option<usize> {
    if a.len() > 64 || b.len() > 64 {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let mut best = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().filter(|&distance| distance <= limit)
}

/// `#f` where a string is wanted is mostly a parameter that was not given.
fn missing_parameter<'a>(
    machine: &Machine<Evaluator<'a>>,
    error: &Fail<Evaluator<'a>>,
    index: usize,
    diagnostic: &mut Diagnostic,
) {
    let Some((form, arguments)) = &error.call else { return };
    if arguments.get(index.wrapping_sub(1)) != Some(&Value::Bool(false)) {
        return;
    }
    let heap = &machine.heap;
    let operand = heap.elements(*form).0.get(index).copied().unwrap_or(Value::Nil);
    let name = match heap.elements(operand).0.as_slice() {
        [Value::Symbol(head), key] if heap.name(*head) == b"param" => {
            heap.bytes(*key).map(|key| String::from_utf8_lossy(key).into_owned())
        }
        _ => None,
    };
    let asked: Vec<&String> = machine.host.missing_params.iter().collect();
    match (name, asked.as_slice()) {
        (Some(name), _) => diagnostic.help.push(not_given(&name)),
        (None, [name]) => diagnostic.help.push(not_given(name)),
        (None, []) => {}
        (None, names) => {
            let names: Vec<_> = names.iter().map(|name| format!("{name:?}")).collect();
            diagnostic.help.push(format!("Parameters asked for and not given: {}.", names.join(", ")));
        }
    }
}

fn not_given(name: &str) -> String {
    format!("parameter {name:?} is not given: -D {name}=…")
}

/// The names are those of the command's `--limit`.
fn raise(limit: &str) -> String {
    format!("Raise the limit with --limit {limit}=NUMBER if the profile is right.")
}

fn profile(error: &ProfileError, diagnostic: &mut Diagnostic) {
    let help = match error {
        ProfileError::MalformedFilter { problem, .. } if !problem.is_empty() => {
            diagnostic.notes.push(problem.clone());
            return;
        }
        ProfileError::Regex { error, text } => {
            diagnostic.notes.push(format!("in the regex {text:?} at byte {}", error.offset));
            return;
        }
        ProfileError::Import { reason, .. } => {
            diagnostic.notes.push(reason.clone());
            "Name a directory to search with -I DIR."
        }
        ProfileError::ImportRefused { help: Some(help), .. } => {
            diagnostic.help.push(help.clone());
            return;
        }
        ProfileError::IllegalArgument(text) if text == "#t" => {
            "A rule gives #t: (allow …) or (deny …) cannot be an argument of another rule."
        }
        ProfileError::OperationContext(_) => {
            "Rules on message operations stand inside (apply-message-filter …), all others outside."
        }
        ProfileError::NetworkHost => "The host is * or localhost; addresses and names cannot be told apart.",
        ProfileError::NetworkPort => "The port is * or one number from 0 to 65535; ranges and lists do not exist.",
        ProfileError::ModifierAction { modifier: "report", .. } => "A deny reports anyway; (with report) is for allow.",
        ProfileError::ModifierAction { modifier: "no-report", .. } => {
            "Only a deny reports; (with no-report) is for deny."
        }
        ProfileError::ImportLimit { limit, .. } => return diagnostic.help.push(raise(limit)),
        ProfileError::RuleLimit(_) => return diagnostic.help.push(raise("rules")),
        ProfileError::FilterTests(_) => return diagnostic.help.push(raise("filter-tests")),
        ProfileError::FilterDepth(_) => return diagnostic.help.push(raise("filter-depth")),
        _ => return,
    };
    diagnostic.help.push(help.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_not() {
        let names = [&b"file-read*"[..], b"file-write*", b"subpath", b"literal"];
        assert_eq!(nearest("file-raed*", names.into_iter()), ["file-read*"]);
        assert_eq!(nearest("subpth", names.into_iter()), ["subpath"]);
        assert_eq!(nearest("liter", names.into_iter()), Vec::<String>::new());
        assert_eq!(nearest("x", names.into_iter()), Vec::<String>::new());
    }
}
