//! What is left of small profiles, and that the result keeps its promises.

use std::cell::Cell;

use proptest::prelude::*;

use super::facts::{CompileFails, Decides, Predicate, PreflightFinds, Setting};
use super::*;
use crate::decide::{Answer, Budget, Request, World};
use crate::diag::Source;
use crate::diff::semantic::Side;
use crate::profile::{EvalOptions, NoImports, evaluate};
use crate::vocab::default_target;

fn setting() -> Setting<'static> {
    Setting { name: "t.sb".to_owned(), loader: &NoImports, options: EvalOptions::default() }
}

fn run(text: &str, fact: &dyn Fact) -> Minimal {
    let minimal = minimize(text.as_bytes(), fact, &Options::default()).unwrap();
    for (remains, outcome) in [(Some(&minimal.smallest), Outcome::Holds), (minimal.neighbour.as_ref(), Outcome::Passes)]
    {
        let Some(remains) = remains else { continue };
        assert_eq!((remains.observation.outcome, remains.confirmed), (outcome, 1));
        let parts: Vec<u8> = remains.kept.iter().flat_map(|span| text.as_bytes()[span.range()].to_vec()).collect();
        assert_eq!(*parts, *remains.text, "what is left is a part of the input");
    }
    minimal
}

fn texts(minimal: &Minimal) -> (String, Option<String>) {
    let text = |remains: &Remains| String::from_utf8(remains.text.to_vec()).unwrap();
    (text(&minimal.smallest), minimal.neighbour.as_ref().map(text))
}

fn decides(text: &str, answer: Answer, path: &str) -> Decides<'static> {
    let request = Request::new(default_target().operation_named("file-read-data").unwrap());
    let path = Some((path.to_owned(), World::macos_14(), None));
    Decides::new(setting(), request, path, answer, &text.as_bytes().into())
}

const PROFILE: &str = r#"; A licence.

(version 1)
(deny default)
(define (home path) (string-append "/Users/me" path)) ; helper
; reads
(allow file-read*
    (literal "/dev/null") ; always
    (subpath (home "/Library"))
    (literal "/etc/hosts"))
(allow file-read-metadata (literal "/etc") (literal "/var"))
(when #t (allow mach-lookup (global-name "x")))
"#;

#[test]
fn what_decides_is_left() {
    let minimal = run(PROFILE, &decides(PROFILE, Answer::Allow, "/Users/me/Library/x"));
    let (smallest, neighbour) = texts(&minimal);
    assert_eq!(
        smallest,
        "(version 1)\n(define (home) (string-append \"/Users/me\")) ; helper\n; reads\n\
         (allow file-read*\n    (subpath (home)))\n"
    );
    assert!(minimal.complete);
    assert!(neighbour.is_some());
}

#[test]
fn the_neighbour_is_one_deletion_away() {
    let text = "(version 1)(deny default)(allow file-read* (literal \"/a\") (literal \"/b\"))";
    let (smallest, neighbour) = texts(&run(text, &decides(text, Answer::Allow, "/b")));
    assert_eq!(smallest, "(version 1)(allow file-read* (literal \"/b\"))");
    assert_eq!(neighbour.as_deref(), Some("(version 1)"));
}

#[test]
fn an_error_keeps_its_code_or_its_message() {
    let text = "(version 1)\n(allow file-read*)\n(allow nonsense (literal \"/a\"))\n(when #f 1)\n(other)";
    let input: Arc<[u8]> = text.as_bytes().into();
    let (smallest, neighbour) = texts(&run(text, &CompileFails::new(setting(), None, &input)));
    assert_eq!(smallest.trim_end(), "(version 1)\n(allow nonsense)");
    assert!(neighbour.is_some_and(|text| text.trim_end() == "(version 1)"));
    let by_text = CompileFails::new(setting(), Some("unbound variable: other".to_owned()), &input);
    let fails = minimize(text.as_bytes(), &by_text, &Options::default());
    assert!(matches!(fails, Err(MinimizeError::NotShown { .. })), "the first error hides it");
}

#[test]
fn syntax_errors_can_be_kept_too() {
    let text = "(version 1)\n(allow file-read*)\n(allow #true)\n(deny default";
    let input: Arc<[u8]> = text.as_bytes().into();
    let (smallest, _) = texts(&run(text, &CompileFails::new(setting(), Some("E0106".to_owned()), &input)));
    assert_eq!(smallest, "(allow #true)");
}

/// `spec/probe-runner.md` section 4.2: the gated profiles shrink to exactly these two lines.
#[test]
fn a_gate_shrinks_to_the_recorded_profile() {
    let text = "(version 1)\n(deny default)\n(allow file-read* (subpath \"/System\"))\n\
                (allow iokit-open-user-client (apply-message-filter (deny iokit-external-trap)))\n\
                (allow mach-lookup (global-name \"x\"))\n";
    let input: Arc<[u8]> = text.as_bytes().into();
    let (smallest, neighbour) = texts(&run(text, &PreflightFinds::new(setting(), None, &input).unwrap()));
    assert_eq!(
        smallest,
        "(version 1)\n(allow iokit-open-user-client (apply-message-filter (deny iokit-external-trap)))\n"
    );
    assert!(neighbour.is_some_and(|text| !text.contains("deny")));
}

#[test]
fn a_difference_keeps_its_operation_and_direction() {
    let other = "(version 1)(deny default)(allow file-read* (subpath \"/a\"))";
    let policy = evaluate(Source::new("o.sb", other.as_bytes()), &NoImports, &EvalOptions::default()).unwrap().policy;
    let text = "(version 1)(deny default)(allow file-read* (subpath \"/a\") (literal \"/b\"))(allow mach-lookup)";
    let input: Arc<[u8]> = text.as_bytes().into();
    let unlike = |text| Decides::unlike(setting(), Side::Policy(&policy), "o.sb", text, Budget::default()).unwrap();
    let fact = unlike(&input).unwrap();
    assert_eq!(fact.describe(), "it allows file-read* path=/b, which o.sb refuses");
    assert_eq!(texts(&run(text, &fact)).0, "(version 1)(allow file-read* (literal \"/b\"))");
    let same: Arc<[u8]> = b"(version 1)(allow file-read* (subpath \"/a\"))".as_slice().into();
    assert!(unlike(&same).is_none());
}

#[test]
fn what_does_not_hold_is_said() {
    let text = "(version 1)";
    let error = minimize(text.as_bytes(), &decides(text, Answer::Allow, "/x"), &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "it does not hold that the answer to file-read-data of /x is allow: deny");
}

#[test]
fn predicates_are_read() {
    let parse = |text| Predicate::parse(text).ok();
    let operation = "file-read-data".to_owned();
    let decides = Some(Predicate::Decides { answer: Answer::Deny, operation });
    assert_eq!(parse("decides deny file-read-data"), decides);
    assert_eq!(parse("decides=deny file-read-data"), decides);
    assert_eq!(parse("compile-fails"), Some(Predicate::CompileFails { with: None }));
    let with = Some("unbound variable".to_owned());
    assert_eq!(parse("compile-fails unbound variable"), Some(Predicate::CompileFails { with }));
    assert_eq!(parse("differs-from a b.sb"), Some(Predicate::DiffersFrom { file: "a b.sb".to_owned() }));
    assert!(["", "decides", "decides maybe x", "differs-from", "shrinks"].iter().all(|text| parse(text).is_none()));
}

/// Holds when all of some bytes are there; counts how often it is asked.
struct Holds<'a>(&'a [u8], Cell<usize>);

impl Fact for Holds<'_> {
    fn describe(&self) -> String {
        String::new()
    }

    fn observe(&self, text: &Arc<[u8]>) -> Observation {
        self.1.set(self.1.get() + 1);
        let outcome = if self.0.iter().all(|byte| text.contains(byte)) { Outcome::Holds } else { Outcome::Passes };
        Observation { outcome, detail: String::new() }
    }
}

#[test]
fn the_budget_ends_the_search_with_the_best_so_far() {
    let text: String = (0..200).map(|number| format!("(f {number}{})", if number == 77 { "x" } else { "" })).collect();
    let fact = Holds(b"x", Cell::new(0));
    let options = Options { tests: 5, confirm: 0, ..Options::default() };
    let minimal = minimize(text.as_bytes(), &fact, &options).unwrap();
    assert!(!minimal.complete && minimal.smallest.text.len() < text.len());
    assert_eq!((minimal.trace.len(), fact.1.get()), (5, 5));
}

#[test]
fn large_profiles_take_few_tests() {
    let text: String =
        (0..5000).map(|number| format!("(f {number}{})\n", if number == 77 { "x" } else { "" })).collect();
    let minimal = minimize(text.as_bytes(), &Holds(b"x", Cell::new(0)), &Options::default()).unwrap();
    assert_eq!(minimal.smallest.text.trim_ascii(), b"(f 77x)");
    assert!(minimal.trace.len() < 100, "{}", minimal.trace.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Any bytes: the result is a part of the input, shows the fact, no single deletion is left, and all comes again the same.
    #[test]
    fn results_are_minimal_and_deterministic(text in "[()a-d x;'\n\"]{0,60}", wanted in "[abx]{1,2}") {
        let fact = Holds(wanted.as_bytes(), Cell::new(0));
        let result = minimize(text.as_bytes(), &fact, &Options::default());
        prop_assert_eq!(&result, &minimize(text.as_bytes(), &fact, &Options::default()));
        let Ok(minimal) = result else { return Ok(()) };
        prop_assert!(minimal.complete);
        let again = minimize(Arc::clone(&minimal.smallest.text), &fact, &Options::default()).unwrap();
        prop_assert_eq!(again.smallest.text, minimal.smallest.text);
    }
}
