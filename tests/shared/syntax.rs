//! The syntax room against every profile of the corpus.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use sbpl::diag::Source;
use sbpl::policy::Rule;
use sbpl::profile::{EvalOptions, MemoryLoader, evaluate};
use sbpl::syntax::format::{Style, format};
use sbpl::syntax::{Parse, SyntaxLimits, TokenKind, parse};
use sbpl::vocab;

use crate::counts;

pub(crate) fn trials(shared: PathBuf) -> Vec<Trial> {
    let corpus = shared.join("corpus");
    let (round_trip, format_corpus) = (corpus.clone(), corpus.clone());
    vec![
        Trial::test("syntax::round_trip", move || round_trips(&round_trip)),
        Trial::test("syntax::format", move || formats(&format_corpus)),
        Trial::test("syntax::format_meaning", move || keeps_meaning(&corpus.join("macos-10.15"))),
    ]
}

/// Every profile of the corpus with its text, in a stable order. `.sb.in` files are inputs of the C preprocessor.
pub(crate) fn profiles(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, Failed> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "sb") {
                let text = std::fs::read(&path)?;
                found.push((path, text));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn read(text: &[u8]) -> Parse {
    parse(text, &SyntaxLimits::default())
}

/// Bytes, tree, the same bytes; and no shipped profile has a syntax error.
fn round_trips(corpus: &Path) -> Result<(), Failed> {
    let profiles = profiles(corpus)?;
    let (mut same, mut clean) = (0, 0);
    for (path, text) in &profiles {
        let parsed = read(text);
        same += usize::from(parsed.tree.print() == *text);
        clean += usize::from(parsed.errors.is_empty());
        for error in &parsed.errors {
            println!("{}: {error} at {:?}", path.display(), error.span);
        }
    }
    counts::check("syntax: profiles printed byte for byte", same, profiles.len())?;
    counts::check("syntax: profiles without syntax errors", clean, profiles.len())
}

/// Every profile formats, keeps its tokens and comments, and formatting again changes nothing.
fn formats(corpus: &Path) -> Result<(), Failed> {
    let profiles = profiles(corpus)?;
    let mut right = 0;
    for (path, text) in &profiles {
        let Some(once) = format(&read(text), Style::default()) else { continue };
        let twice = format(&read(&once), Style::default());
        if twice.as_ref() != Some(&once) {
            println!("{}: formatted twice is different", path.display());
        } else if kept(text) != kept(&once) {
            println!("{}: tokens or comments differ", path.display());
        } else {
            right += 1;
        }
    }
    counts::check("syntax: profiles formatted, tokens kept, idempotent", right, profiles.len())
}

/// What an evaluation says, without the places where it was written.
fn meaning(name: &str, text: &[u8], loader: &MemoryLoader) -> (bool, String) {
    let options = EvalOptions { target: vocab::target("macos-10.15").unwrap(), ..EvalOptions::default() };
    match evaluate(Source::new(name, text), loader, &options) {
        Ok(evaluation) => {
            let policy = evaluation.policy;
            let rules = policy.rules().iter().map(|rule| Rule { origin: None, ..rule.clone() });
            let rules: Vec<_> = rules.collect();
            (true, format!("{rules:?} {:?} {:?} {:?}", policy.version(), policy.storage_classes, policy.options))
        }
        Err(failure) => (false, failure.to_string()),
    }
}

/// A formatted profile that imports formatted profiles leaves the same policy, or fails with the same words.
fn keeps_meaning(corpus: &Path) -> Result<(), Failed> {
    let profiles = profiles(corpus)?;
    let (mut plain, mut formatted) = (MemoryLoader::new(), MemoryLoader::new());
    let mut pairs = Vec::new();
    for (path, text) in profiles {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let after = format(&read(&text), Style::default()).ok_or("has syntax errors")?;
        plain = plain.with(&name, text.clone());
        formatted = formatted.with(&name, after.clone());
        pairs.push((name, text, after));
    }
    let (mut same, mut policies) = (0, 0);
    for (name, before, after) in &pairs {
        let (evaluated, expected) = meaning(name, before, &plain);
        policies += usize::from(evaluated);
        if meaning(name, after, &formatted) == (evaluated, expected) {
            same += 1;
        } else {
            println!("{name}: means something else when formatted");
        }
    }
    // Fragments and app profiles fail alone, and are compared by how they fail; that must not be all of them.
    if policies < pairs.len() / 3 {
        return Err(format!("only {policies} of {} profiles leave a policy", pairs.len()).into());
    }
    counts::check("syntax: formatted profiles that mean the same", same, pairs.len())
}

/// Tokens without white space, comments without blanks at their end.
fn kept(text: &[u8]) -> Vec<(TokenKind, Vec<u8>)> {
    let tree = read(text).tree;
    let tokens = tree.tokens().iter().filter(|token| token.kind != TokenKind::Whitespace);
    let shown = |bytes: &[u8], comment: bool| if comment { bytes.trim_ascii_end().to_vec() } else { bytes.to_vec() };
    tokens.map(|token| (token.kind, shown(tree.slice(token.span), token.kind.is_comment()))).collect()
}
