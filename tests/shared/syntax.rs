//! The syntax room against every profile of the corpus.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use sbpl::syntax::format::{Style, format};
use sbpl::syntax::{Parse, SyntaxLimits, TokenKind, parse};

use crate::counts;

pub(crate) fn trials(shared: PathBuf) -> Vec<Trial> {
    let corpus = shared.join("corpus");
    let round_trip = corpus.clone();
    vec![
        Trial::test("syntax::round_trip", move || round_trips(&round_trip)),
        Trial::test("syntax::format", move || formats(&corpus)),
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

/// Tokens without white space, comments without blanks at their end.
fn kept(text: &[u8]) -> Vec<(TokenKind, Vec<u8>)> {
    let tree = read(text).tree;
    let tokens = tree.tokens().iter().filter(|token| token.kind != TokenKind::Whitespace);
    let shown = |bytes: &[u8], comment: bool| if comment { bytes.trim_ascii_end().to_vec() } else { bytes.to_vec() };
    tokens.map(|token| (token.kind, shown(tree.slice(token.span), token.kind.is_comment()))).collect()
}
