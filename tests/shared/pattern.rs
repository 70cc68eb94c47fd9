//! The pattern room against the patterns and regexes of whole compiled profiles.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use sbpl::pattern::code::{self, Style};
use sbpl::pattern::regex;

use crate::counts;
use crate::records::{self, BLOBS, Layout};

pub(crate) fn trials(shared: PathBuf) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (tag, _, layout) in BLOBS {
        let folder = shared.clone();
        trials.push(Trial::test(format!("pattern::code::{tag}"), move || pattern_code(&folder, tag, *layout)));
        let folder = shared.clone();
        trials.push(Trial::test(format!("pattern::regex::{tag}"), move || regex_code(&folder, tag)));
    }
    trials
}

/// Bytes, tree, the same bytes: the tree holds all that the code says, and the writer writes as Apple's does.
fn pattern_code(shared: &Path, tag: &str, layout: Layout) -> Result<(), Failed> {
    let style = if layout == Layout::Old { Style::Old } else { Style::Modern };
    let records = records::load(shared, tag);
    let (mut right, mut listed) = (0, 0);
    for (at, (code, filters)) in &records.patterns {
        listed += usize::from(code::decode(code).is_ok_and(|tree| tree.to_patterns(&records.variables).is_ok()));
        match code::decode(code).and_then(|tree| code::encode(&tree, style)) {
            Ok(again) if again == *code => right += 1,
            Ok(again) => println!("{tag} {at:x} filters {filters:?}: {code:02x?} became {again:02x?}"),
            Err(error) => println!("{tag} {at:x} filters {filters:?}: {error} at {:x}: {code:02x?}", error.offset),
        }
    }
    counts::check(&format!("pattern code {tag}: bytes to tree to the same bytes"), right, records.patterns.len())?;
    counts::check(&format!("pattern code {tag}: tree to filters"), listed, records.patterns.len())
}

/// Bytes, expression, the same bytes; and the expression's text parses back to it.
fn regex_code(shared: &Path, tag: &str) -> Result<(), Failed> {
    let records = records::load(shared, tag);
    let (mut right, mut parsed) = (0, 0);
    for (number, record) in records.regexes.iter().enumerate() {
        match regex::code::decode(record) {
            Ok(tree) => {
                let text = tree.to_source();
                right += usize::from(regex::code::encode(&tree).as_ref() == Ok(record));
                parsed += usize::from(regex::parse(&text).as_ref() == Ok(&tree));
            }
            Err(error) => println!("{tag} regex {number}: {error} at {:x}: {record:02x?}", error.offset),
        }
    }
    counts::check(&format!("regex code {tag}: bytes to expression to the same bytes"), right, records.regexes.len())?;
    counts::check(
        &format!("regex code {tag}: expression to text to the same expression"),
        parsed,
        records.regexes.len(),
    )
}
