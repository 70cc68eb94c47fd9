//! One meaning, four machines: the pattern, its code, its automaton and its filters must agree on every subject; the
//! algebra must agree with trying all short strings; nothing may panic on hostile bytes.

use proptest::prelude::*;

use super::automaton::{Domain, Space, contains};
use super::build::{Compiled, compile, is_unitable};
use super::code::{self, Alternative, PatternTree, Style};
use super::regex::{self, Class, Node, Regex, Repeat};
use super::{Meaning, Pattern, PatternKind, Variables, union};

fn node() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        6 => prop::sample::select(b"ab/".to_vec()).prop_map(Node::Byte),
        1 => Just(Node::Any),
        1 => Just(Node::End),
        1 => Just(Node::Empty),
        2 => (any::<bool>(), prop::sample::select(vec![(b'/', b'/'), (b'a', b'a'), (b'a', b'b')]))
            .prop_map(|(negated, range)| Node::Class(Class::new(negated, vec![range]))),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let repeat = prop::sample::select(vec![Repeat::Star, Repeat::Plus, Repeat::Optional]);
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 2..4).prop_map(Node::concat),
            2 => prop::collection::vec(inner.clone(), 2..4).prop_map(Node::alternate),
            1 => (inner, repeat).prop_map(|(body, repeat)| Node::Repeat(Box::new(body), repeat)),
        ]
    })
}

fn regex_tree() -> impl Strategy<Value = Regex> {
    (any::<bool>(), node()).prop_map(|(anchored, body)| {
        let node = if anchored { Node::concat(vec![Node::Start, body]) } else { body };
        Regex::new(node).unwrap()
    })
}

fn plain_pattern() -> impl Strategy<Value = Pattern> {
    let kind = prop::sample::select(vec![PatternKind::Literal, PatternKind::Prefix, PatternKind::Subpath]);
    (kind, "[/ab]{0,6}").prop_map(|(kind, text)| Pattern::new(kind, text, false).unwrap())
}

fn any_pattern() -> impl Strategy<Value = Pattern> {
    prop_oneof![3 => plain_pattern(), 1 => regex_tree().prop_map(Pattern::from_regex)]
}

/// Subjects that meet the small alphabet of the patterns, and one byte beyond it.
fn subject() -> impl Strategy<Value = Vec<u8>> {
    "[/abx]{0,8}".prop_map(String::into_bytes)
}

fn matches(pattern: &Pattern, subject: &[u8]) -> bool {
    pattern.matches(subject, &Variables::none())
}

fn check_tree(tree: &PatternTree, subject: &[u8], expected: bool) -> Result<(), TestCaseError> {
    let filters = tree.to_patterns(&[]).unwrap();
    prop_assert_eq!(filters.iter().any(|filter| matches(filter, subject)), expected, "filters {:?}", filters);
    let ways = tree.ways(&[]).unwrap();
    prop_assert_eq!(ways.iter().any(|way| matches(way, subject)), expected, "ways {:?}", ways);
    for style in [Style::Modern, Style::Old] {
        let bytes = code::encode(tree, style).unwrap();
        prop_assert_eq!(code::run(&bytes, subject, &[]).unwrap(), expected, "{:?} code {:02x?}", style, bytes);
        prop_assert_eq!(&code::decode(&bytes).unwrap(), tree, "{:?}", style);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn code_matches_what_the_pattern_matches(pattern in any_pattern(), subjects in prop::collection::vec(subject(), 1..12)) {
        if let Compiled::Tree(tree) = compile(&pattern, &mut |_| 0).unwrap() {
            for subject in &subjects {
                check_tree(&tree, subject, matches(&pattern, subject))?;
            }
        }
    }

    #[test]
    fn a_union_matches_what_its_members_match(
        chain in prop::collection::vec(any_pattern(), 1..7),
        subjects in prop::collection::vec(subject(), 1..12),
    ) {
        let chain: Vec<Pattern> = chain.into_iter().filter(is_unitable).collect();
        prop_assume!(!chain.is_empty());
        let tree = union::unite(&chain, &mut |_| 0).unwrap();
        for subject in &subjects {
            check_tree(&tree, subject, chain.iter().any(|pattern| matches(pattern, subject)))?;
        }
    }

    /// Literals of a union stand as the rule says: ascending by size wherever all siblings are plain strings to one end.
    #[test]
    fn plain_literals_stand_in_ascending_length(chain in prop::collection::vec("[a-d/]{1,9}", 1..12)) {
        let chain: Vec<Pattern> = chain.into_iter().map(Pattern::literal).collect();
        let tree = union::unite(&chain, &mut |_| 0).unwrap();
        let mut todo = vec![tree.alternatives()];
        while let Some(list) = todo.pop() {
            let lengths: Option<Vec<usize>> = list
                .iter()
                .map(|one| match one {
                    Alternative::Then(code::Step::Literal(label), rest) if rest == &[Alternative::End] => Some(label.len()),
                    Alternative::Then(_, rest) => {
                        todo.push(rest);
                        None
                    }
                    _ => None,
                })
                .collect();
            prop_assert!(lengths.is_none_or(|lengths| lengths.is_sorted()), "{:?}", tree);
        }
    }

    #[test]
    fn regex_text_and_code_keep_the_language(regex in regex_tree(), subjects in prop::collection::vec(subject(), 1..12)) {
        let text = regex.to_source();
        let parsed = regex::parse(&text).unwrap();
        let pattern = Pattern::from_regex(regex.clone());
        let again = Pattern::from_regex(parsed.clone());
        // Some trees that are no parser's output read back as another tree of the same language, and then stay.
        prop_assert_eq!(regex::parse(&parsed.to_source()).unwrap(), parsed.clone());
        let from_code = regex::code::encode(&parsed).ok().and_then(|record| regex::code::decode(&record).ok());
        for subject in &subjects {
            prop_assert_eq!(matches(&again, subject), matches(&pattern, subject), "{:?}", pattern);
            if let Some(tree) = &from_code {
                let decoded = Pattern::from_regex(tree.clone());
                prop_assert_eq!(matches(&decoded, subject), matches(&pattern, subject), "{:?} {:?}", pattern, decoded);
            }
        }
    }

    #[test]
    fn algebra_agrees_with_trying_all_short_strings(a in any_pattern(), b in any_pattern()) {
        let mut space = Space::new(&[a.clone(), b.clone()], &Variables::none(), Domain::Anything, 20_000);
        let short = short_strings();
        for wanted in [0b00u64, 0b01, 0b10, 0b11] {
            let tried = short.iter().find(|subject| wanted == u64::from(matches(&a, subject)) | u64::from(matches(&b, subject)) << 1);
            let decided = space.witness(|matching| matching.first() == Some(&wanted)).unwrap();
            match (&tried, &decided) {
                (Some(tried), Some(decided)) => prop_assert!(decided.len() <= tried.len(), "{:?} {:?}", tried, decided),
                (Some(tried), None) => prop_assert!(false, "{:?} {:?}: {:?} was not found", a, b, tried),
                _ => {}
            }
            if let Some(found) = decided {
                prop_assert_eq!(u64::from(matches(&a, &found)) | u64::from(matches(&b, &found)) << 1, wanted);
            }
        }
    }

    /// The compiler's quick comparison never calls two patterns disjoint that share a subject, and is exact for plain ones.
    #[test]
    fn disjointness_of_trees_is_sound(a in any_pattern(), b in any_pattern()) {
        if let (Compiled::Tree(left), Compiled::Tree(right)) = (compile(&a, &mut |_| 0).unwrap(), compile(&b, &mut |_| 0).unwrap()) {
            let plain = a.kind() != PatternKind::Regex && b.kind() != PatternKind::Regex;
            let overlap = Space::new(&[a, b], &Variables::none(), Domain::Anything, 20_000).overlap(0, 1).unwrap();
            let disjoint = union::disjoint(&left, &right);
            prop_assert!(!disjoint || overlap.is_none(), "{:?}", overlap);
            prop_assert!(!plain || disjoint == overlap.is_none(), "{:?}", overlap);
        }
    }

    #[test]
    fn folding_keeps_every_match(pattern in any_pattern(), subject in "[/abAB]{0,8}") {
        let folded = pattern.fold_case();
        if matches(&pattern, subject.as_bytes()) {
            prop_assert!(matches(&folded, subject.to_ascii_lowercase().as_bytes()) || has_negated_class(&pattern));
        }
        prop_assert_eq!(folded.fold_case(), folded);
    }

    #[test]
    fn hostile_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), subject in subject()) {
        let _ = code::run(&bytes, &subject, &[]);
        if let Ok(tree) = code::decode(&bytes) {
            let _ = (code::encode(&tree, Style::Modern), tree.to_patterns(&[]));
        }
        let _ = regex::parse(&bytes);
        let mut record = vec![0, 0, 0, 3, bytes.len() as u8, 0];
        record.extend(&bytes);
        let _ = regex::code::decode(&record);
    }

    /// The same with bytes that are mostly instructions.
    #[test]
    fn hostile_code_does_not_panic(
        bytes in prop::collection::vec(prop::sample::select(vec![
            0u8, 2, 3, 5, 6, 7, 8, 9, 10, 11, 15, 16, 0x15, 0x19, 0x1b, 0x29, 0x2f, 0x40, 0x41, 0x80, 0x81, 0x84, b'a', b'/',
        ]), 0..60),
        subject in subject(),
    ) {
        let _ = code::run(&bytes, &subject, &[Meaning::Values(vec![b"a".to_vec()])]);
        if let Ok(tree) = code::decode(&bytes) {
            let _ = (code::encode(&tree, Style::Modern), tree.to_patterns(&[b"V".to_vec()]));
        }
        let mut record = vec![0, 0, 0, 3, bytes.len() as u8, 0];
        record.extend(&bytes);
        let _ = regex::code::decode(&record);
    }
}

/// A negated class loses letters of the other case when it is folded: `[^a]` matched `A`.
fn has_negated_class(pattern: &Pattern) -> bool {
    pattern.kind() == PatternKind::Regex && pattern.text().windows(2).any(|pair| pair == b"[^")
}

/// All strings over the patterns' alphabet and one more byte, up to four bytes, the shorter first.
fn short_strings() -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    let mut from = 0;
    for _ in 0..4 {
        let until = all.len();
        for at in from..until {
            for byte in *b"ab/x" {
                let longer = [all[at].as_slice(), &[byte]].concat();
                all.push(longer);
            }
        }
        from = until;
    }
    all
}

#[test]
fn deep_trees_meet_the_limit() {
    let chain: Vec<Pattern> = (1..code::MAX_DEPTH + 10).map(|length| Pattern::literal(vec![b'a'; length])).collect();
    let error = union::unite(&chain, &mut |_| 0).unwrap_err();
    assert_eq!(error.kind, code::CodeErrorKind::TooDeep);
    let nested = [vec![0x06; 5000], vec![0x0a]].concat();
    assert_eq!(code::decode(&nested).unwrap_err().kind, code::CodeErrorKind::TooDeep);
}

#[test]
fn opaque_variables_keep_names_apart() {
    let pattern = |text: &str| Pattern::new(PatternKind::Subpath, text, true).unwrap();
    let patterns = [pattern("${HOME}/a"), pattern("${home}"), pattern("${OTHER}"), Pattern::subpath("/private")];
    let variables = Variables::opaque(&patterns);
    let mut space = Space::new(&patterns, &variables, Domain::Paths, 10_000);
    assert_eq!(space.uncovered(0, 1).unwrap(), None);
    assert_eq!(space.overlap(0, 2).unwrap(), None);
    assert_eq!(space.overlap(1, 3).unwrap(), None);
    assert_eq!(space.witness(|matching| contains(matching, 0)).unwrap().unwrap(), b"/${home}/a");
}
