//! `grammar/sbpl.ebnf` says the same as the lexer and the parser.
//!
//! The grammar file is read, interpreted as a recogniser and used as a generator. For every text tried, the grammar accepts
//! it exactly when the parser reports no error, and then both find the same data at the same places.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use proptest::prelude::*;
use sbpl::syntax::{AtomKind, NodeKind};

use super::properties::any_text;
use super::read;

#[derive(Debug)]
enum Expr {
    Bytes(Vec<u8>),
    Class(Box<[bool; 256]>),
    Rule(String),
    Sequence(Vec<Expr>),
    Choice(Vec<Expr>),
    Repeat { of: Box<Expr>, least: usize, most: usize },
    Look { at: Box<Expr>, wanted: bool },
}

type Grammar = BTreeMap<String, Expr>;

/// Reads the notation that the head of the grammar file describes.
struct Notation<'a> {
    text: &'a [u8],
    at: usize,
}

impl Notation<'_> {
    fn grammar(text: &str) -> Grammar {
        let mut this = Notation { text: text.as_bytes(), at: 0 };
        let mut rules = Grammar::new();
        while this.peek().is_some() {
            let name = this.name();
            assert!(this.eat("::="), "rule {name}: ::= expected");
            let expr = this.choice();
            assert!(rules.insert(name.clone(), expr).is_none(), "rule {name} is there twice");
        }
        rules
    }

    fn peek(&mut self) -> Option<u8> {
        loop {
            while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
                self.at += 1;
            }
            if !self.text[self.at..].starts_with(b"/*") {
                return self.text.get(self.at).copied();
            }
            let rest = &self.text[self.at..];
            self.at += rest.windows(2).position(|pair| pair == b"*/").expect("a comment ends") + 2;
        }
    }

    fn eat(&mut self, mark: &str) -> bool {
        self.peek();
        let found = self.text[self.at..].starts_with(mark.as_bytes());
        self.at += if found { mark.len() } else { 0 };
        found
    }

    fn name(&mut self) -> String {
        self.peek();
        let rest = &self.text[self.at..];
        let length = rest.iter().take_while(|byte| byte.is_ascii_lowercase() || **byte == b'-').count();
        self.at += length;
        String::from_utf8(rest[..length].to_vec()).unwrap()
    }

    fn choice(&mut self) -> Expr {
        let mut options = vec![self.sequence()];
        while self.eat("|") {
            options.push(self.sequence());
        }
        Expr::Choice(options)
    }

    fn sequence(&mut self) -> Expr {
        let mut items = Vec::new();
        while let Some(item) = self.item() {
            items.push(item);
        }
        assert!(!items.is_empty(), "an empty sequence at byte {}", self.at);
        Expr::Sequence(items)
    }

    fn item(&mut self) -> Option<Expr> {
        for (mark, wanted) in [("&", true), ("!", false)] {
            if self.eat(mark) {
                return Some(Expr::Look { at: Box::new(self.primary().unwrap()), wanted });
            }
        }
        let of = self.primary()?;
        let (least, most) = match self.text.get(self.at) {
            Some(b'?') => (0, 1),
            Some(b'*') => (0, usize::MAX),
            Some(b'+') => (1, usize::MAX),
            _ => return Some(of),
        };
        self.at += 1;
        Some(Expr::Repeat { of: Box::new(of), least, most })
    }

    fn primary(&mut self) -> Option<Expr> {
        match self.peek()? {
            b'(' => {
                self.at += 1;
                let inner = self.choice();
                assert!(self.eat(")"));
                Some(inner)
            }
            quote @ (b'\'' | b'"') => {
                let rest = &self.text[self.at + 1..];
                let length = rest.iter().position(|&byte| byte == quote).unwrap();
                self.at += length + 2;
                Some(Expr::Bytes(rest[..length].to_vec()))
            }
            b'[' => {
                self.at += 1;
                Some(Expr::Class(Box::new(self.class())))
            }
            byte if byte.is_ascii_lowercase() => {
                let before = self.at;
                let name = self.name();
                if self.eat("::=") {
                    self.at = before;
                    return None;
                }
                // `?`, `*`, `+` follow without a space.
                self.at = before + name.len();
                Some(Expr::Rule(name))
            }
            _ => None,
        }
    }

    fn class(&mut self) -> [bool; 256] {
        let mut set = [false; 256];
        let negated = self.text[self.at] == b'^';
        self.at += usize::from(negated);
        while self.text[self.at] != b']' {
            let low = self.class_byte();
            let mut high = low;
            if self.text[self.at] == b'-' {
                self.at += 1;
                high = self.class_byte();
            }
            set[usize::from(low)..=usize::from(high)].fill(true);
        }
        self.at += 1;
        set.map(|within| within != negated)
    }

    fn class_byte(&mut self) -> u8 {
        let byte = self.text[self.at];
        self.at += 1;
        if byte != b'\\' {
            return byte;
        }
        let escaped = self.text[self.at];
        self.at += 1;
        match escaped {
            b't' => b'\t',
            b'n' => b'\n',
            b'r' => b'\r',
            b'f' => 0x0c,
            b'v' => 0x0b,
            b'x' => {
                let digits = std::str::from_utf8(&self.text[self.at..self.at + 2]).unwrap();
                self.at += 2;
                u8::from_str_radix(digits, 16).unwrap()
            }
            other => other,
        }
    }
}

/// A datum or tail that the grammar found: its rule, its first byte and one past its last.
type Found = (String, usize, usize);

struct Recogniser<'a> {
    grammar: &'a Grammar,
    text: &'a [u8],
    found: Vec<Found>,
}

const DATA: [&str; 10] =
    ["list", "tail", "vector", "quoted", "string", "raw-string", "char", "bool", "number", "symbol"];

impl Recogniser<'_> {
    fn run(&mut self, expr: &Expr, at: usize) -> Option<usize> {
        match expr {
            Expr::Bytes(bytes) => self.text[at..].starts_with(bytes).then(|| at + bytes.len()),
            Expr::Class(set) => self.text.get(at).filter(|&&byte| set[usize::from(byte)]).map(|_| at + 1),
            Expr::Rule(name) => {
                let mark = self.found.len();
                let end = self.run(self.grammar.get(name).unwrap_or_else(|| panic!("no rule {name}")), at);
                if end.is_none() {
                    self.found.truncate(mark);
                }
                if DATA.contains(&name.as_str()) {
                    self.found.insert(mark, (name.clone(), at, end?));
                }
                end
            }
            Expr::Sequence(items) => items.iter().try_fold(at, |at, item| self.run(item, at)),
            Expr::Choice(options) => options.iter().find_map(|option| {
                let mark = self.found.len();
                let end = self.run(option, at);
                if end.is_none() {
                    self.found.truncate(mark);
                }
                end
            }),
            Expr::Repeat { of, least, most } => {
                let (mut at, mut count) = (at, 0);
                while count < *most {
                    let mark = self.found.len();
                    let Some(end) = self.run(of, at) else {
                        self.found.truncate(mark);
                        break;
                    };
                    (at, count) = (end, count + 1);
                }
                (count >= *least).then_some(at)
            }
            Expr::Look { at: ahead, wanted } => {
                let mark = self.found.len();
                let follows = self.run(ahead, at).is_some();
                self.found.truncate(mark);
                (follows == *wanted).then_some(at)
            }
        }
    }
}

/// Several grammar files as one, for whoever else states a grammar.
pub(crate) struct Rules(Grammar);

impl Rules {
    /// Reads `grammar/NAME` for every name.
    pub(crate) fn read(names: &[&str]) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/grammar/");
        let texts: Vec<_> =
            names.iter().map(|name| std::fs::read_to_string(format!("{folder}{name}")).unwrap()).collect();
        Self(Notation::grammar(&texts.join("\n")))
    }

    /// Replaces a rule by "one of these words".
    pub(crate) fn set_words(&mut self, rule: &str, words: &[&str]) {
        let word = |word: &&str| {
            Expr::Sequence(vec![Expr::Bytes(word.as_bytes().to_vec()), Expr::Rule("atom-end".to_owned())])
        };
        self.0.insert(rule.to_owned(), Expr::Choice(words.iter().map(word).collect()));
    }

    /// True when all of `text` is a `rule`.
    pub(crate) fn accepts(&self, rule: &str, text: &[u8]) -> bool {
        let mut recogniser = Recogniser { grammar: &self.0, text, found: Vec::new() };
        recogniser.run(&self.0[rule], 0) == Some(text.len())
    }
}

fn grammar() -> &'static Grammar {
    static GRAMMAR: OnceLock<Grammar> = OnceLock::new();
    GRAMMAR.get_or_init(|| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/grammar/sbpl.ebnf");
        Notation::grammar(&std::fs::read_to_string(path).unwrap())
    })
}

/// What the grammar finds in `text`, in preorder; `None` when it does not accept it.
fn by_grammar(grammar: &Grammar, text: &[u8]) -> Option<Vec<Found>> {
    let mut recogniser = Recogniser { grammar, text, found: Vec::new() };
    recogniser.run(&grammar["program"], 0)?;
    Some(recogniser.found)
}

/// The same of the parser.
fn by_parser(text: &[u8]) -> Option<Vec<Found>> {
    let parsed = read(text);
    let tree = parsed.tree;
    let mut found = Vec::new();
    for node in tree.nodes() {
        let range = tree.span(node).range();
        let rule = match tree.kind(node) {
            NodeKind::List | NodeKind::DottedList => "list",
            NodeKind::Vector => "vector",
            NodeKind::Quoted(_) => "quoted",
            NodeKind::Atom(AtomKind::String) => "string",
            NodeKind::Atom(AtomKind::RawString) => "raw-string",
            NodeKind::Atom(AtomKind::Char) => "char",
            NodeKind::Atom(AtomKind::Bool) => "bool",
            NodeKind::Atom(AtomKind::Number) => "number",
            NodeKind::Atom(AtomKind::Symbol) => "symbol",
            NodeKind::Error => "error",
        };
        found.push((rule.to_owned(), range.start, range.end));
    }
    parsed.errors.is_empty().then_some(found)
}

fn compare(grammar: &Grammar, text: &[u8]) {
    let ours = by_parser(text);
    let theirs = by_grammar(grammar, text);
    let tails =
        |found: &[Found]| found.iter().filter(|(rule, ..)| rule == "tail").map(|it| it.2 + 1).collect::<Vec<_>>();
    let expected_tails = theirs.as_deref().map(tails);
    let data = theirs.map(|found| found.into_iter().filter(|(rule, ..)| rule != "tail").collect::<Vec<_>>());
    assert_eq!(ours, data, "{}", text.escape_ascii());
    if let Some(mut expected) = expected_tails {
        // A tail ends where the parenthesis of its list stands.
        let tree = read(text).tree;
        let dotted = tree.nodes().filter(|&node| tree.kind(node) == NodeKind::DottedList);
        let mut ends: Vec<_> = dotted.map(|node| tree.span(node).end as usize).collect();
        ends.sort_unstable();
        expected.sort_unstable();
        assert_eq!(ends, expected, "{}", text.escape_ascii());
    }
}

/// Grows a text from the grammar. Look-ahead is ignored, so not every text is accepted; most are.
struct Generator<'a> {
    grammar: &'a Grammar,
    state: u64,
    out: Vec<u8>,
}

impl Generator<'_> {
    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state % bound as u64) as usize
    }

    fn run(&mut self, expr: &Expr, fuel: usize) {
        match expr {
            Expr::Bytes(bytes) => self.out.extend(bytes),
            Expr::Class(set) => {
                let bytes: Vec<u8> = (0..=255).filter(|&byte: &u8| set[usize::from(byte)]).collect();
                // Mostly readable bytes, or nearly all atoms would be noise.
                let readable: Vec<u8> = bytes.iter().copied().filter(u8::is_ascii_graphic).collect();
                let from = if self.below(8) > 0 && !readable.is_empty() { readable } else { bytes };
                let byte = from[self.below(from.len())];
                self.out.push(byte);
            }
            Expr::Rule(name) => self.run(&self.grammar[name], fuel.saturating_sub(1)),
            Expr::Sequence(items) => items.iter().for_each(|item| self.run(item, fuel)),
            Expr::Choice(options) => {
                let pick = if fuel == 0 { options.len() - 1 } else { self.below(options.len()) };
                self.run(&options[pick], fuel);
            }
            Expr::Repeat { of, least, most } => {
                let more = if fuel == 0 { 0 } else { self.below(4).min(most - least) };
                for _ in 0..least + more {
                    self.run(of, fuel);
                }
            }
            Expr::Look { .. } => {}
        }
    }
}

fn generate(grammar: &Grammar, seed: u64) -> Vec<u8> {
    let mut generator = Generator { grammar, state: seed | 1, out: Vec::new() };
    generator.run(&grammar["program"], 12);
    generator.out
}

#[test]
fn every_rule_is_used_and_defined() {
    fn names<'a>(expr: &'a Expr, out: &mut Vec<&'a str>) {
        match expr {
            Expr::Rule(name) => out.push(name),
            Expr::Sequence(items) | Expr::Choice(items) => items.iter().for_each(|item| names(item, out)),
            Expr::Repeat { of: inner, .. } | Expr::Look { at: inner, .. } => names(inner, out),
            Expr::Bytes(_) | Expr::Class(_) => {}
        }
    }
    let grammar = grammar();
    let mut used = vec!["program"];
    grammar.values().for_each(|expr| names(expr, &mut used));
    for name in &used {
        assert!(grammar.contains_key(*name), "{name} is not defined");
    }
    for name in grammar.keys() {
        assert!(used.contains(&name.as_str()), "{name} is never used");
    }
}

#[test]
fn the_grammar_agrees_on_the_torture_files() {
    let grammar = grammar();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/syntax/torture");
    let mut accepted = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // The grammar has no depth limit, and this interpreter recurses.
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.ends_with(".sb") && !name.starts_with("36-") {
            let text = std::fs::read(&path).unwrap();
            compare(grammar, &text);
            accepted += usize::from(by_grammar(grammar, &text).is_some());
        }
    }
    assert!(accepted > 30, "only {accepted} files are accepted");
}

#[test]
fn the_grammar_agrees_on_the_codes_of_characters() {
    for sign in ["", "+", "-"] {
        for prefix in ["", "0x", "0X"] {
            for digits in ["", "g", "0", "ff", "100", "00ff", "00100", "ffg"] {
                compare(grammar(), format!("#\\x{sign}{prefix}{digits}").as_bytes());
            }
        }
    }
}

#[test]
fn most_generated_texts_are_accepted() {
    let grammar = grammar();
    let accepted =
        (1..500).filter(|seed| by_grammar(grammar, &generate(grammar, seed * 0x9e37_79b9)).is_some()).count();
    assert!(accepted > 100, "only {accepted} of 499: the generator finds too little");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_grammar_agrees_on_any_text(text in any_text()) {
        compare(grammar(), &text);
    }

    #[test]
    fn the_grammar_agrees_on_what_it_generates(seed: u64) {
        let grammar = grammar();
        compare(grammar, &generate(grammar, seed));
    }
}
