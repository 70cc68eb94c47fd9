//! Shims on our own profiles and on any text.

use std::path::Path;
use std::sync::OnceLock;

use proptest::prelude::*;
use sbpl::shim::{self, ApplyError, ShimError, ShimErrorKind};
use sbpl::syntax::{SyntaxLimits, parse};

use crate::syntax::grammar::Rules;

/// Applies every built-in shim to `text`, and again to what that gave: the second time nothing may change.
fn twice_is_once(text: &[u8]) {
    for shim in shim::built_ins() {
        let keys = shim.profiles();
        for key in keys.into_iter().map(Some).chain([None]) {
            let applied = match shim::apply(shim, text, key) {
                Ok(applied) => applied,
                Err(ApplyError::Profile(_)) => return,
                Err(error) => panic!("{}: {error}", shim.name),
            };
            let again = shim::apply(shim, applied.text.clone(), key).unwrap();
            assert_eq!(again.edits, [], "{} changes its own result", shim.name);
            if applied.edits.is_empty() {
                assert_eq!(applied.text, text);
            }
        }
    }
}

#[test]
fn twice_is_once_on_own_profiles() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = 0;
    let mut folders = vec![root.join("profiles"), root.join("tests/cli")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "sb") {
                twice_is_once(&std::fs::read(path).unwrap());
                found += 1;
            }
        }
    }
    assert!(found >= 5, "{found}");
}

fn any_filter() -> impl Strategy<Value = String> {
    let path =
        prop::sample::select(&["/tmp", "/tmp/foo", "/private/tmp/foo", "/System", "/usr/lib", "/VAR/x", "/etc/"][..]);
    let leaf =
        (prop::sample::select(&["literal", "subpath", "regex", "prefix"][..]), path.clone(), path, any::<bool>())
            .prop_map(
                |(name, a, b, two)| {
                    if two { format!("({name} \"{a}\" \"{b}\")") } else { format!("({name} #\"{a}\")") }
                },
            );
    leaf.prop_recursive(2, 6, 2, |inner| {
        (prop::sample::select(&["require-all", "require-any"][..]), inner.clone(), inner)
            .prop_map(|(name, a, b)| format!("({name} {a}\n  {b})"))
    })
}

fn any_form() -> impl Strategy<Value = String> {
    let operations = prop::sample::subsequence(
        &["default", "file-read*", "file-read-metadata", "process-exec*", "signal"][..],
        1..3,
    );
    let rule = (any::<bool>(), operations, prop::collection::vec(any_filter(), 0..3)).prop_map(
        |(allow, operations, filters)| {
            let action = if allow { "allow" } else { "deny" };
            format!("({action} {} {})", operations.join(" "), filters.join(" "))
        },
    );
    let other = prop::sample::select(
        &["(version 1)", "; comment", "(import \"x.sb\")", "(debug deny)", "'(allow signal)", ""][..],
    );
    prop_oneof![
        6 => rule,
        1 => prop::sample::select(shim::built_ins()).prop_map(|shim| String::from_utf8_lossy(shim.text()).into_owned()),
        1 => Just("(allow file-read* (subpath \"/System\"))".to_owned()),
        2 => other.prop_map(str::to_owned),
    ]
}

/// Operations that the texts of this file use.
const OPERATIONS: &[&str] = &[
    "default",
    "file-read*",
    "file-write*",
    "file-read-metadata",
    "process-exec*",
    "process-exec",
    "signal",
    "mach-lookup",
];

fn grammar() -> &'static Rules {
    static RULES: OnceLock<Rules> = OnceLock::new();
    RULES.get_or_init(|| {
        let mut rules = Rules::read(&["sbpl.ebnf", "shim.ebnf"]);
        rules.set_words("operation", OPERATIONS);
        rules
    })
}

/// Errors that the grammar's head names as outside of it.
fn is_outside(error: &ShimError) -> bool {
    use ShimErrorKind as Kind;
    matches!(error.kind, Kind::NameTaken(_) | Kind::BadPaths | Kind::ContractTwice(_) | Kind::TooDeep { .. })
}

fn compare_with_grammar(rules: &Rules, text: &[u8]) -> bool {
    let ours = match shim::parse(text) {
        Ok(_) => true,
        Err(errors) => errors.iter().all(is_outside),
    };
    assert_eq!(ours, rules.accepts("shim-file", text), "{}", text.escape_ascii());
    ours
}

const EVERY_STEP: &str = r##"
; a comment
(shim every-step-1 (doc "one" #"two") (widens (file-read* signal (literal "/a") (subpath "/b"))) (narrows anything)
  (append (allow signal (target self)) (deny (with no-log) default (literal "/x" #"y" 1 #t #\a 'q #(v))))
  (add-sibling ("/a" "/b") ("/c" "/d")) (rewrite-prefix ("/a" "/b"))
  (replace (_ mach-lookup ...) (deny mach-lookup)) (drop (allow _ (literal "/a")) (deny signal))
  (for-profile "x:y" "z" (unless-rule (allow default) (append (allow default)))) (widens nothing))
"##;

#[test]
fn the_grammar_accepts_the_shipped_shims() {
    let rules = grammar();
    assert!(compare_with_grammar(rules, EVERY_STEP.as_bytes()));
    for shim in shim::built_ins() {
        assert!(compare_with_grammar(rules, shim.text()), "{}", shim.name);
    }
}

/// A shim file's tokens, white space left out.
fn tokens(text: &[u8]) -> Vec<Vec<u8>> {
    let tree = parse(text, &SyntaxLimits::default()).tree;
    let kept = tree.tokens().iter().filter(|token| !token.kind.is_trivia());
    kept.map(|token| tree.slice(token.span).to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// What the grammar accepts is what is read: on texts that were good until tokens were taken away, doubled or exchanged.
    #[test]
    fn the_grammar_agrees_on_damaged_shims(
        index in 0usize..10,
        changes in prop::collection::vec((0usize..4, any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..4),
    ) {
        let text = shim::built_ins().get(index).map_or(EVERY_STEP.as_bytes(), |shim| shim.text());
        let mut words = tokens(text);
        for (change, at, other) in changes {
            let (at, other) = (at.index(words.len()), other.index(words.len()));
            match change {
                0 => drop(words.remove(at)),
                1 => words.insert(at, words[other].clone()),
                2 => words.swap(at, other),
                _ => words[at] = words[other].clone(),
            }
        }
        compare_with_grammar(grammar(), &words.join(&b' '));
    }
}

proptest! {
    #[test]
    fn twice_is_once_on_generated_profiles(
        forms in prop::collection::vec((any_form(), prop::sample::select(&["\n", " ", "\n\n", "\n ; end\n"][..])), 0..12),
    ) {
        let text: String = forms.into_iter().map(|(form, end)| form + end).collect();
        twice_is_once(text.as_bytes());
    }

    /// Reading a shim file and applying a shim never panic.
    #[test]
    fn any_bytes(text in prop::collection::vec(prop::sample::select(&b"()\"#;' \n\\/tmpshialowe.*_-"[..]), 0..60)) {
        let _ = shim::parse(&text);
        twice_is_once(&text);
    }

    /// Whatever is wrong inside a shim is reported, with a place inside the file.
    #[test]
    fn errors_lie_in_the_file(cut in 0usize..200, index in 0usize..8) {
        let text = shim::built_ins()[index].text();
        let mut broken = text.to_vec();
        broken.remove(cut % text.len());
        if let Err(errors) = shim::parse(&broken) {
            prop_assert!(errors.iter().all(|error| error.span.end as usize <= broken.len()));
        }
    }
}
