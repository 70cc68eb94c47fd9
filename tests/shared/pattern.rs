//! The pattern room against the patterns and regexes of whole compiled profiles.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use sbpl::pattern::automaton::{Domain, Space};
use sbpl::pattern::build::{self, Compiled};
use sbpl::pattern::code::{self, Style};
use sbpl::pattern::{Meaning, Pattern, PatternKind, Variables, regex};

use crate::counts;
use crate::records::{self, BLOBS, Layout};

pub(crate) fn trials(shared: PathBuf) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (tag, _, layout) in BLOBS {
        let folder = shared.clone();
        trials.push(Trial::test(format!("pattern::code::{tag}"), move || pattern_code(&folder, tag, *layout)));
        let folder = shared.clone();
        // The collection of iOS 17 holds no regex.
        if *tag != "X17" {
            trials.push(Trial::test(format!("pattern::regex::{tag}"), move || regex_code(&folder, tag)));
        }
    }
    trials
}

/// Bytes, tree, the same bytes: the tree holds all that the code says, and the writer writes as Apple's does.
fn pattern_code(shared: &Path, tag: &str, layout: Layout) -> Result<(), Failed> {
    let style = if layout == Layout::Old { Style::Old } else { Style::Modern };
    let records = records::load(shared, tag);
    let (mut right, mut listed, mut single, mut rebuilt) = (0, 0, 0, 0);
    for (at, (code, users)) in &records.patterns {
        let tree = code::decode(code)?;
        let filters = tree.to_patterns(&records.variables)?;
        listed += usize::from(examples_match(code, &filters, &records.variables));
        if let [only] = filters.as_slice() {
            single += 1;
            let number =
                |name: &[u8]| records.variables.iter().position(|known| known == name).unwrap_or(usize::MAX) as u16;
            match build::compile(only, &mut { number })? {
                Compiled::Tree(again) if again == tree => rebuilt += 1,
                other => println!("{tag} {at:x}: {:?} is compiled to {other:?}", String::from_utf8_lossy(only.text())),
            }
        }
        match code::decode(code).and_then(|tree| code::encode(&tree, style)) {
            Ok(again) if again == *code => right += 1,
            Ok(again) => println!("{tag} {at:x} filters {users:?}: {code:02x?} became {again:02x?}"),
            Err(error) => println!("{tag} {at:x} filters {users:?}: {error} at {:x}: {code:02x?}", error.offset),
        }
    }
    counts::check(&format!("pattern code {tag}: bytes to tree to the same bytes"), right, records.patterns.len())?;
    counts::check(
        &format!("pattern code {tag}: code matches an example of each of its filters"),
        listed,
        records.patterns.len(),
    )?;
    counts::check(&format!("pattern code {tag}: single filters compile to the same tree"), rebuilt, single)
}

/// The code's own machine accepts the shortest subject of every filter that the code was turned into.
fn examples_match(code: &[u8], filters: &[Pattern], names: &[Vec<u8>]) -> bool {
    let opaque = Variables::opaque(filters);
    let values: Vec<Meaning> = names.iter().map(|name| opaque.meaning(name).clone()).collect();
    filters.iter().all(|filter| {
        if filter.kind() != PatternKind::Regex && !filter.has_variables() {
            return code::run(code, filter.text(), &values) == Ok(true);
        }
        let mut space = Space::new(std::slice::from_ref(filter), &opaque, Domain::Anything, 10_000);
        let example = space.example(0).ok().flatten();
        example.is_some_and(|subject| code::run(code, &subject, &values) == Ok(true))
    })
}

/// Bytes, expression, the same bytes; and the expression's text parses back to it.
fn regex_code(shared: &Path, tag: &str) -> Result<(), Failed> {
    let records = records::load(shared, tag);
    let (mut right, mut parsed, mut kept) = (0, 0, 0);
    for (number, record) in records.regexes.iter().enumerate() {
        match regex::code::decode(record) {
            Ok(tree) => {
                let text = tree.to_source();
                let compiled = build::compile(&Pattern::from_regex(tree.clone()), &mut |_| 0)?;
                kept += usize::from(matches!(compiled, Compiled::Regex(_)));
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
    )?;
    // The older compiler kept more of them.
    if tag == "B13" {
        return Ok(());
    }
    counts::check(&format!("regex code {tag}: would stay a regex"), kept, records.regexes.len())
}
