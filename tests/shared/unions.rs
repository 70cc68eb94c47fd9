//! The order of alternatives in unions, against the compiled reference cases whose source is known.
//!
//! The test reads only what it needs of a source: which string filters stand in which rules. It looks for the chain of
//! tests that has the same strings as a compiled record and compares the bytes that the union of that chain gives.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use sbpl::pattern::code::{self, Style};
use sbpl::pattern::{Pattern, PatternKind, union};

use crate::counts;
use crate::records::{self, Layout};

pub(crate) fn trials(shared: PathBuf) -> Vec<Trial> {
    let folder = shared.clone();
    vec![
        Trial::test("pattern::union::golden", move || golden(&shared)),
        Trial::test("pattern::union::reach", move || reach(&folder)),
    ]
}

/// Unions of system profiles, whose source is unknown: is there an order of their strings that gives the tree? Unlike the
/// reference cases these were not looked at when the rule was made.
fn reach(shared: &Path) -> Result<(), Failed> {
    let mut seen = BTreeSet::new();
    let (mut right, mut total) = (0, 0);
    for tag in ["P17", "P15", "P26", "X17"] {
        for (code, _) in records::load(shared, tag).patterns.into_values() {
            let tree = code::decode(&code)?;
            // Names do not matter here: a pattern with a variable has none to give.
            let Ok(strings) = tree.to_patterns(&[]) else { continue };
            let plain = strings.iter().all(|string| string.kind() != PatternKind::Regex);
            if !plain || !(3..=5).contains(&strings.len()) || !seen.insert(code) {
                continue;
            }
            total += 1;
            let found = permutations(strings.len()).into_iter().any(|order| {
                let chain: Vec<Pattern> = order.into_iter().map(|at| strings[at].clone()).collect();
                union::unite(&chain, &mut |_| 0).as_ref() == Ok(&tree)
            });
            right += usize::from(found);
            if !found {
                println!("{tag}: no order gives {:?}", texts(strings.iter()));
            }
        }
    }
    counts::check("unions of system profiles that some order of their strings gives", right, total)
}

fn permutations(length: usize) -> Vec<Vec<usize>> {
    (0..length).fold(vec![Vec::new()], |shorter, new| {
        let insert = |order: &Vec<usize>| -> Vec<Vec<usize>> {
            (0..=order.len()).map(|at| [&order[..at], &[new], &order[at..]].concat()).collect()
        };
        shorter.iter().flat_map(insert).collect()
    })
}

/// Filters whose strings are folded (`spec/blob-format.md` §6).
const FOLDED: &[u8] = &[1, 2, 39, 45, 90, 91];

fn golden(shared: &Path) -> Result<(), Failed> {
    let folder = shared.join("golden/macos-14.4");
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("manifest.json"))?)?;
    // A record that several cases share counts once.
    let mut seen = BTreeSet::new();
    let (mut right, mut total, mut plain_right, mut plain_total) = (0, 0, 0, 0);
    for case in manifest["cases"].as_array().ok_or("cases")? {
        let (Some(name), Some(source), Some(hex_file)) =
            (case["name"].as_str(), case["source"].as_str(), case["hex"].as_str())
        else {
            continue;
        };
        let source = std::fs::read_to_string(folder.join(source))?;
        let blob = hex(&std::fs::read_to_string(folder.join(hex_file))?);
        let parameters: BTreeMap<String, String> = serde_json::from_value(case["params"].clone()).unwrap_or_default();
        let chains = chains(&source, &parameters);
        for (code, filters) in records::read(&blob, Layout::Fourteen).patterns.into_values() {
            let tree = code::decode(&code)?;
            let strings = strings(&tree);
            let fold = filters.iter().any(|filter| FOLDED.contains(filter));
            let found = chains.iter().find_map(|chain| {
                let chain: Vec<Pattern> =
                    if fold { chain.iter().map(Pattern::fold_case).collect() } else { chain.clone() };
                let union = union::unite(&chain, &mut |_| 0).ok()?;
                (chain.len() > 1 && self::strings(&union) == strings).then_some((chain, union))
            });
            let Some((chain, union)) = found else {
                if strings.len() > 1 {
                    println!("{}: no chain for {:?}", name, texts(tree.to_patterns(&[])?.iter()));
                }
                continue;
            };
            let same = code::encode(&union, Style::Modern)? == code;
            if !seen.insert((texts(chain.iter()), code)) {
                continue;
            }
            total += 1;
            right += usize::from(same);
            if chain.iter().all(|pattern| pattern.kind() == PatternKind::Literal) {
                plain_total += 1;
                plain_right += usize::from(same);
            }
            if !same {
                println!("{}: chain {:?}", name, texts(chain.iter()));
                println!("    is {:?}", texts(tree.to_patterns(&[])?.iter()));
                println!("    we {:?}", texts(union.to_patterns(&[])?.iter()));
            }
        }
    }
    counts::check("unions of the reference cases: order of alternatives", right, total)?;
    counts::check("unions of the reference cases, literals only", plain_right, plain_total)
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.bytes().filter_map(|byte| char::from(byte).to_digit(16).map(|digit| digit as u8)).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn strings(tree: &code::PatternTree) -> BTreeSet<(PatternKind, Vec<u8>)> {
    let patterns = tree.to_patterns(&[]).unwrap_or_default();
    patterns.iter().map(|pattern| (pattern.kind(), pattern.text().to_vec())).collect()
}

fn texts<'p>(patterns: impl Iterator<Item = &'p Pattern>) -> Vec<String> {
    patterns.map(|pattern| format!("{:?} {}", pattern.kind(), String::from_utf8_lossy(pattern.text()))).collect()
}

#[derive(Debug, Clone)]
enum Form {
    Word(String),
    Text(String),
    List(Vec<Form>),
}

fn parse(source: &str) -> Vec<Form> {
    let mut stack = vec![Vec::new()];
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        let raw = c == '#' && chars.peek() == Some(&'"');
        if raw {
            chars.next();
        }
        match c {
            ';' => while chars.next().is_some_and(|c| c != '\n') {},
            '(' => stack.push(Vec::new()),
            ')' => {
                let list = stack.pop().unwrap();
                stack.last_mut().unwrap().push(Form::List(list));
            }
            _ if raw || c == '"' => {
                let mut text = String::new();
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    text.push(if c == '\\' && !raw { chars.next().unwrap() } else { c });
                }
                stack.last_mut().unwrap().push(Form::Text(text));
            }
            c if c.is_whitespace() => {}
            c => {
                let mut word = c.to_string();
                while chars.peek().is_some_and(|c| !c.is_whitespace() && !"();\"".contains(*c)) {
                    word.extend(chars.next());
                }
                stack.last_mut().unwrap().push(Form::Word(word));
            }
        }
    }
    stack.pop().unwrap()
}

/// A string filter: its family and one pattern.
type Filter = (String, Pattern);

fn filters(form: &Form, parameters: &BTreeMap<String, String>, out: &mut Vec<Filter>, groups: &mut Vec<Vec<Filter>>) {
    let Form::List(items) = form else { return };
    let Some(Form::Word(head)) = items.first() else { return };
    let (family, kind) = match head.as_str() {
        "literal" | "path" => ("path", PatternKind::Literal),
        "subpath" => ("path", PatternKind::Subpath),
        "prefix" => ("path", PatternKind::Prefix),
        "regex" => ("path", PatternKind::Regex),
        "require-any" | "require-all" | "require-not" => {
            let mut inner = Vec::new();
            items.iter().skip(1).for_each(|item| filters(item, parameters, &mut inner, groups));
            groups.push(inner.clone());
            out.extend(inner);
            return;
        }
        other => match (other.strip_suffix("-regex"), other.strip_suffix("-prefix")) {
            (Some(family), _) => (family, PatternKind::Regex),
            (_, Some(family)) => (family, PatternKind::Prefix),
            _ => (other, PatternKind::Literal),
        },
    };
    for item in items.iter().skip(1) {
        let text = match item {
            Form::Text(text) => text.clone(),
            Form::List(call) => match call.as_slice() {
                [Form::Word(word), Form::Text(name)] if word == "param" => match parameters.get(name) {
                    Some(value) => value.clone(),
                    None => continue,
                },
                _ => continue,
            },
            Form::Word(_) => continue,
        };
        out.extend(Pattern::new(kind, text, false).ok().map(|pattern| (family.to_owned(), pattern)));
    }
}

/// Every chain that may have been united: the rules of one operation and action, newest first; single rules; groups.
fn chains(source: &str, parameters: &BTreeMap<String, String>) -> Vec<Vec<Pattern>> {
    let mut by_operation: BTreeMap<(String, String, String), Vec<Vec<Pattern>>> = BTreeMap::new();
    let mut single: Vec<Vec<Filter>> = Vec::new();
    for form in parse(source) {
        let Form::List(items) = form else { continue };
        let Some(Form::Word(action)) = items.first() else { continue };
        let mut found = Vec::new();
        items.iter().skip(1).for_each(|item| filters(item, parameters, &mut found, &mut single));
        for family in found.iter().map(|(family, _)| family).collect::<BTreeSet<_>>() {
            let patterns: Vec<Pattern> = found.iter().filter(|(f, _)| f == family).map(|(_, p)| p.clone()).collect();
            for item in items.iter().skip(1) {
                if let Form::Word(operation) = item {
                    let key = (operation.clone(), action.clone(), family.clone());
                    by_operation.entry(key).or_default().push(patterns.clone());
                }
            }
        }
        single.push(found);
    }
    let mut out: Vec<Vec<Pattern>> =
        by_operation.into_values().map(|rules| rules.into_iter().rev().flatten().collect()).collect();
    for group in single {
        for family in group.iter().map(|(family, _)| family).collect::<BTreeSet<_>>() {
            out.push(group.iter().filter(|(f, _)| f == family).map(|(_, p)| p.clone()).collect());
        }
    }
    out
}
