//! Small differences with their witnesses; that witnesses hold on both sides.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;
use crate::decide::{Answer, Attribute, Engine, Value};
use crate::pattern::{Pattern, PatternKind};
use crate::policy::samples::{id, literal, op, path, policy, subpath, test};
use crate::policy::{Arg, Filter, Host, NetworkAddress};
use crate::vocab::{Action, default_target};

fn compare<'a>(a: &'a Policy, b: &'a Policy) -> Comparison<'a> {
    Comparison::new(Side::Policy(a), Side::Policy(b), Budget::default()).unwrap()
}

/// Asks both engines about every witness.
fn confirm(a: &Policy, b: &Policy, changes: &[(OpId, Change)]) {
    let (engine_a, engine_b) = (Engine::new(a.clone()), Engine::new(b.clone()));
    for (_, change) in changes {
        if let Change::Differs { widened, narrowed } = change {
            for (request, answers) in
                [(widened, [Answer::Deny, Answer::Allow]), (narrowed, [Answer::Allow, Answer::Deny])]
            {
                if let Some(request) = request {
                    assert_eq!(
                        [engine_a.decide(request).answer, engine_b.decide(request).answer],
                        answers,
                        "{request:?}"
                    );
                }
            }
        }
    }
}

fn changes(a: &Policy, b: &Policy) -> Vec<(OpId, Change)> {
    let changes = compare(a, b).changes();
    confirm(a, b, &changes);
    changes
}

fn change(a: &Policy, b: &Policy, operation: &str) -> Change {
    changes(a, b).into_iter().find(|(each, _)| *each == op(operation)).unwrap().1
}

fn path_of(request: &Option<Request>) -> String {
    match request.as_ref().and_then(|request| request.get(&Attribute::Filter(PATH))) {
        Some(Value::Strings(all)) => String::from_utf8_lossy(&all[0]).into_owned(),
        other => format!("{other:?}"),
    }
}

const ALLOW: Action = Action::Allow;
const DENY: Action = Action::Deny;

#[test]
fn widening_and_narrowing_have_shortest_paths() {
    let a = policy(vec![(ALLOW, "file-read*", Some(subpath("/a")))]);
    let b = policy(vec![(ALLOW, "file-read*", Some(subpath("/a"))), (ALLOW, "file-read*", Some(literal("/bc")))]);
    let Change::Differs { widened, narrowed: None } = change(&a, &b, "file-read-data") else { panic!() };
    assert_eq!(path_of(&widened), "/bc");
    assert_eq!(change(&b, &a, "file-read-data").name(), "narrowed");
    assert_eq!(change(&a, &b, "file-write-data"), Change::Equal);
    let c = policy(vec![(ALLOW, "file-read*", Some(subpath("/c")))]);
    assert_eq!(change(&a, &c, "file-read*").name(), "both");
}

#[test]
fn differences_that_no_request_shows_are_none() {
    let a = policy(vec![(ALLOW, "file-read*", Some(subpath("/a")))]);
    // Below /a already; a folded spelling; a path that cannot be; both literals at once.
    let b = policy(vec![
        (ALLOW, "file-read*", Some(literal("/a/b"))),
        (ALLOW, "file-read*", Some(subpath("/A"))),
        (ALLOW, "file-read*", Some(literal("/x/../y"))),
        (ALLOW, "file-read*", Some(literal("relative"))),
        (ALLOW, "file-read*", Some(Filter::All(vec![literal("/p"), literal("/q")]))),
    ]);
    assert!(changes(&a, &b).iter().all(|(_, change)| *change == Change::Equal));
    let all = policy(vec![(ALLOW, "file-read*", None)]);
    let root = policy(vec![(ALLOW, "file-read*", Some(subpath("/")))]);
    assert_eq!(change(&all, &root, "file-read-data"), Change::Equal);
}

#[test]
fn numbers_addresses_and_sets_are_tried_where_they_differ() {
    let number = |value| test("socket-domain", Arg::Integer(value));
    let a = policy(vec![(ALLOW, "system-socket", Some(number(1)))]);
    let b = policy(vec![(ALLOW, "system-socket", Some(Filter::Not(Box::new(number(1)))))]);
    assert_eq!(change(&a, &b, "system-socket").name(), "both");
    let address = |protocol, port| test("remote", Arg::Network(NetworkAddress { protocol, host: Host::Any, port }));
    let ip = policy(vec![(ALLOW, "network-outbound", Some(address(3, Some(80))))]);
    let split = policy(vec![
        (ALLOW, "network-outbound", Some(address(1, Some(80)))),
        (ALLOW, "network-outbound", Some(address(2, Some(80)))),
    ]);
    assert_eq!(change(&ip, &split, "network-outbound"), Change::Equal);
    let tcp = policy(vec![(ALLOW, "network-outbound", Some(address(7, Some(80))))]);
    assert_eq!(change(&ip, &tcp, "network-outbound").name(), "narrowed");
    let class = |text: &str| test("iokit-registry-entry-class", Arg::Pattern(Pattern::literal(text)));
    let both = policy(vec![(ALLOW, "iokit-open-user-client", Some(Filter::All(vec![class("x"), class("y")])))]);
    let Change::Differs { narrowed: Some(request), .. } = change(&both, &policy(vec![]), "iokit-open-user-client")
    else {
        panic!()
    };
    let classes = Value::Strings(vec![b"x".to_vec(), b"y".to_vec()]);
    assert_eq!(request.get(&Attribute::Filter(id("iokit-registry-entry-class"))), Some(&classes));
}

#[test]
fn a_small_budget_says_undecided() {
    let a = policy(vec![(ALLOW, "file-read*", Some(subpath("/a")))]);
    let b = policy(vec![(ALLOW, "file-read*", Some(subpath("/b")))]);
    for budget in [
        Budget { nodes: 2, ..Budget::default() },
        Budget { states: 1, ..Budget::default() },
        Budget { trials: 0, ..Budget::default() },
    ] {
        let mut comparison = Comparison::new(Side::Policy(&a), Side::Policy(&b), budget).unwrap();
        let changes = comparison.changes();
        let of_read = changes.iter().find(|(each, _)| *each == op("file-read*")).unwrap();
        assert_eq!(of_read.1.name(), "undecided", "{budget:?}");
    }
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let paths = prop::sample::select(vec!["/a", "/a/b", "/b", "/a/b/c", "/"]);
    let leaf = prop_oneof![
        paths.clone().prop_map(literal),
        paths.prop_map(subpath),
        prop::sample::select(vec!["^/a/", "c$", "^/b", "/[ab]/", "."]).prop_map(|text| path(PatternKind::Regex, text)),
        prop::sample::select(vec!["x", "y"]).prop_map(|name| test("extension", Arg::String(name.into()))),
        (1u16..3).prop_map(|number| test("vnode-type", Arg::Integer(number))),
        (1u16..4).prop_map(|bits| test("file-mode", Arg::Integer(bits))),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Filter::All),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Filter::Any),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let operation = prop::sample::select(vec!["file-read*", "file-read-data", "file*", "default"]);
    let rule = (any::<bool>(), operation, prop::option::weighted(0.8, any_filter()));
    prop::collection::vec(rule, 0..6).prop_map(|rules| {
        policy(
            rules.into_iter().map(|(allow, operation, filter)| (if allow { ALLOW } else { DENY }, operation, filter)),
        )
    })
}

fn requests() -> Vec<Request> {
    let mut all = Vec::new();
    for path in ["/", "/a", "/a/b", "/a/b/c", "/b", "/b/c", "/c", "/a/c", "/ab"] {
        for extensions in [vec![], vec!["x"], vec!["y"], vec!["x", "y"]] {
            for vnode in 1..4u16 {
                for mode in 0..4u16 {
                    let names = extensions.iter().map(|name| name.as_bytes().to_vec()).collect();
                    all.push(
                        Request::new(op("file-read-data"))
                            .with_path(path)
                            .with(Attribute::Filter(id("extension")), Value::Strings(names))
                            .with(Attribute::Filter(id("vnode-type")), Value::number(vnode))
                            .with(Attribute::Filter(id("file-mode")), Value::number(mode)),
                    );
                }
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Witnesses hold on both sides, and what is called equal, widened or narrowed is so for every request of a small world.
    #[test]
    fn changes_agree_with_decisions(a in any_policy(), b in any_policy()) {
        let change = change(&a, &b, "file-read-data");
        let (engine_a, engine_b) = (Engine::new(a), Engine::new(b));
        for request in requests() {
            let answers = [engine_a.decide(&request).answer, engine_b.decide(&request).answer];
            let allowed = match answers {
                [x, y] if x == y => continue,
                [Answer::Deny, Answer::Allow] => ["widened", "both"],
                [Answer::Allow, Answer::Deny] => ["narrowed", "both"],
                other => panic!("{other:?} for {request:?}"),
            };
            prop_assert!(allowed.contains(&change.name()), "{} but {answers:?} for {request:?}", change.name());
        }
    }

}

/// A implies A; when A implies B and B implies C, A implies C. The samples hold enough chains for that to say something.
#[test]
fn implication_is_transitive() {
    let mut runner = TestRunner::deterministic();
    let mut sample = || any_policy().new_tree(&mut runner).unwrap().current();
    let policies: Vec<Policy> = (0..24).map(|_| sample()).collect();
    let implies = |x: &Policy, y: &Policy| compare(x, y).narrowed(op("file-read-data")).unwrap().is_none();
    let table: Vec<Vec<bool>> = policies.iter().map(|x| policies.iter().map(|y| implies(x, y)).collect()).collect();
    let mut chains = 0;
    for (a, row) in table.iter().enumerate() {
        assert!(row[a]);
        for b in (0..row.len()).filter(|b| *b != a && row[*b]) {
            for c in (0..row.len()).filter(|c| *c != a && *c != b && table[b][*c]) {
                assert!(row[c], "{:?}\n{:?}\n{:?}", policies[a], policies[b], policies[c]);
                // Not all three alike.
                chains += usize::from(!table[b][a] || !table[c][b]);
            }
        }
    }
    assert!(chains >= 50, "{chains}");
}

/// `${NAME}` may stand for anything: what holds for every value is proved, and a witness says the value that it needs.
#[test]
fn variables_are_free_symbols() {
    let open = |kind, text: &str| test("path", Arg::Pattern(Pattern::new(kind, text, true).unwrap()));
    let below = |text: &str| open(PatternKind::Subpath, text);
    let exact = |text: &str| open(PatternKind::Literal, text);
    let allow =
        |filters: &[Filter]| policy(filters.iter().map(|filter| (ALLOW, "file-read-data", Some(filter.clone()))));
    let name = |a: &[Filter], b: &[Filter]| change(&allow(a), &allow(b), "file-read-data").name();
    assert_eq!(name(&[below("${HOME}"), below("${HOME}/Library")], &[below("${HOME}")]), "equal");
    assert_eq!(name(&[below("${HOME}/a")], &[open(PatternKind::Regex, "^${home}/a(/|$)")]), "equal");
    assert_eq!(name(&[below("${HOME}/Library")], &[below("${HOME}")]), "widened");
    assert_eq!(name(&[below("/p/${HOME}/x"), exact("/q")], &[below("/p/${HOME}"), exact("/q")]), "widened");
    assert_eq!(name(&[below("${HOME}")], &[below("${OTHER}")]), "both");
    assert_eq!(name(&[below("/v/${ANY_UUID}/x")], &[below("/v/${ANY_PATH_COMPONENT}/x")]), "widened");
    // A home may be anywhere, below /usr too.
    let denied = |path: &str| {
        policy(vec![(ALLOW, "file-read-data", Some(subpath("/usr"))), (DENY, "file-read-data", Some(exact(path)))])
    };
    let Change::Differs { widened: None, narrowed: Some(request) } =
        change(&denied("/usr/none/../x"), &denied("${HOME}/x"), "file-read-data")
    else {
        panic!()
    };
    assert_eq!(request.words(default_target()), ["path=/usr/x", "variable=HOME=/usr"]);
    // One home at a time; several homes of any user.
    let shared = |a: &str, b: &str| {
        let (a, b) = (allow(&[exact(a)]), allow(&[exact(b)]));
        compare(&a, &b).shared(op("file-read-data"))
    };
    assert_eq!(shared("${HOME}", "${HOME}/x"), Ok(None));
    assert_eq!(shared("${HOME}/y", "${HOME}/x"), Ok(None));
    let request = shared("${ANY_USER_HOME}", "${ANY_USER_HOME}/x").unwrap().unwrap();
    assert_eq!(request.words(default_target()).len(), 3, "{request:?}");
    // Two variables in one pattern: equal to itself, else not decided, and by name.
    assert_eq!(name(&[below("${A}/${B}"), exact("/x")], &[below("${A}/${B}"), exact("/x")]), "equal");
    let found = compare(&allow(&[below("${A}/${B}")]), &allow(&[below("${A}/b/${B}")])).changes();
    let undecided = |change: &Change| matches!(change, Change::Undecided(Undecided::Variable(name)) if name == "A");
    assert!(found.iter().any(|(_, change)| undecided(change)), "{found:?}");
}

/// Patterns that stand in the same places of both sides need not be understood to be equal, and what follows from their beginnings
/// is known; where values of the variables matter that are not looked through, nothing is said.
#[test]
fn patterns_with_several_variables_are_equal_by_what_is_known_of_them() {
    let open = |kind, text: &str| test("path", Arg::Pattern(Pattern::new(kind, text, true).unwrap()));
    let below = |text: &str| open(PatternKind::Subpath, text);
    let exact = |text: &str| open(PatternKind::Literal, text);
    let one = |action, filter: Filter| (action, "file-read-data", Some(filter));
    let name = |a: Vec<_>, b: Vec<_>| change(&policy(a), &policy(b), "file-read-data").name();
    let both = |filters: &[Filter]| Filter::All(filters.to_vec());
    // The order of rules that share no path; an inner path beside an outer one; a path inside another in one condition.
    let (x, y) = (|| below("${A}/${B}/x"), || below("${A}/${B}/y"));
    assert_eq!(name(vec![one(ALLOW, x()), one(DENY, y())], vec![one(DENY, y()), one(ALLOW, x())]), "equal");
    assert_eq!(
        name(vec![one(ALLOW, below("${A}/${B}"))], vec![one(ALLOW, x()), one(ALLOW, below("${A}/${B}"))]),
        "equal"
    );
    assert_eq!(name(vec![one(ALLOW, both(&[x(), below("${A}")]))], vec![one(ALLOW, x())]), "equal");
    // Five variables at once.
    let many = |from: usize| {
        let names = ["A", "B", "C", "D", "E"].iter().cycle().skip(from).take(5);
        names.map(|name| one(ALLOW, below(&format!("${{{name}}}/x")))).collect::<Vec<_>>()
    };
    assert_eq!(name(many(0), many(2)), "equal");
    // These differ, and are not called equal; that one value is all it takes is not seen.
    assert_eq!(name(vec![one(ALLOW, x())], vec![one(ALLOW, y())]), "undecided");
    assert_eq!(name(many(0), many(0).into_iter().skip(1).collect()), "narrowed");
    // No string is twice another one and has an odd length: equal, but not known to be.
    let odd = || both(&[exact("${A}${A}"), literal("/abc")]);
    assert_eq!(name(vec![one(ALLOW, odd())], vec![]), "undecided");
    // The questions of `--check` are answered alike.
    let (a, b) = (policy(vec![one(ALLOW, x())]), policy(vec![one(ALLOW, below("${A}/${B}"))]));
    let operation = op("file-read-data");
    assert_eq!(compare(&a, &b).narrowed(operation), Ok(None));
    assert!(compare(&a, &b).widened(operation).is_err());
    assert_eq!(compare(&a, &policy(vec![one(ALLOW, y())])).shared(operation), Ok(None));
}

fn load(name: &str) -> Filter {
    test("%entitlement-load", Arg::String(name.into()))
}

fn value(wanted: bool) -> Filter {
    test("%entitlement-boolean", Arg::Bool(wanted))
}

/// A value is that of the entitlement loaded last on the way, whichever part of an "or" or rule that was in.
#[test]
fn a_value_behind_several_loads_is_that_of_the_one_on_the_way() {
    let one = |filter| policy(vec![(ALLOW, "file-read-data", Some(filter))]);
    let name = |a: &Policy, b: &Policy| {
        let found = compare(a, b).changes();
        found.into_iter().find(|(each, _)| *each == op("file-read-data")).unwrap().1.name()
    };
    let all = |parts: &[Filter]| Filter::All(parts.to_vec());
    let any = |parts: &[Filter]| Filter::Any(parts.to_vec());
    let (x, y) = (literal("/x"), literal("/y"));
    let behind = any(&[all(&[x.clone(), load("a")]), all(&[y.clone(), load("b")])]);
    let behind = one(all(&[behind, value(true)]));
    let beside = any(&[all(&[x.clone(), load("a"), value(true)]), all(&[y, load("b"), value(true)])]);
    assert_eq!(name(&behind, &one(beside)), "equal");
    // With both, the first is asked about only.
    let first = one(all(&[any(&[load("a"), load("b")]), value(true)]));
    let either = one(any(&[all(&[load("a"), value(true)]), all(&[load("b"), value(true)])]));
    assert_eq!(name(&first, &either), "widened");
    // Loaded by a newer rule that did not match.
    let two = policy(vec![
        (ALLOW, "file-read-data", Some(value(true))),
        (DENY, "file-read-data", Some(all(&[load("a"), x.clone()]))),
    ]);
    let said = all(&[load("a"), Filter::Not(Box::new(x)), value(true)]);
    let said = any(&[said, all(&[Filter::Not(Box::new(load("a"))), value(true)])]);
    assert_eq!(name(&two, &one(said)), "equal");
    // What they compile to asks the same.
    for policy in [behind, first, either, two] {
        let program = crate::compile::compile(&policy, &crate::compile::Limits::default()).unwrap().program;
        let found = Comparison::new(Side::Policy(&policy), Side::Program(&program, None), Budget::default());
        let found = found.unwrap().changes();
        assert!(found.iter().all(|(_, change)| *change == Change::Equal), "{found:?}");
    }
}
