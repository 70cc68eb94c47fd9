//! What the prover finds, and that the diagram engine and a small world of requests agree with it.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::gates::Gates;
use super::relation::Relation;
use super::*;
use crate::decide::atoms::{Expr, Question};
use crate::decide::dag::{Dag, Root};
use crate::decide::rules::Rules;
use crate::decide::space::Space;
use crate::decide::{Answer, Engine, Request};
use crate::pattern::{Pattern, PatternKind, Variables};
use crate::policy::samples::{id, literal, name, op, path, policy, subpath, test};
use crate::policy::{Arg, Filter, Policy};
use crate::vocab::{Action, default_target};

fn attribute(filter: &str) -> Attribute {
    Attribute::Filter(id(filter))
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

/// Values for which all of `filters` hold in a request on `operation`.
fn find_within(budget: Budget, operation: &str, filters: &[Filter]) -> Result<Found, Undecided> {
    let mut atoms = Atoms::canonical(default_target());
    let exprs: Vec<Expr> = filters.iter().map(|filter| atoms.compile(filter)).collect();
    atoms.freeze();
    let exclusive = Exclusive::new(default_target());
    let mut prover = Prover::new(&atoms, &exclusive, default_target(), budget);
    let wanted: Result<Vec<Lit>, _> = exprs.iter().map(|expr| prover.store().condition(expr)).collect();
    prover.find(op(operation), &wanted?)
}

fn find(operation: &str, filters: &[Filter]) -> Found {
    find_within(Budget::default(), operation, filters).unwrap()
}

/// Conditions are compared as literals, so what is the same must be one, however it is written.
#[test]
fn equal_conditions_are_one_literal() {
    let mut gates = Gates::new(Budget::default());
    let [a, b, c] = [0, 1, 2].map(|question| gates.condition(&Expr::Atom(Atom { column: 0, question })).unwrap());
    let (yes, no) = (gates.constant(true), gates.constant(false));
    let both = gates.ite(a, b, no).unwrap();
    assert_eq!(gates.ite(b, a, no), Ok(both));
    assert_eq!(gates.ite(!a, no, b), Ok(both));
    assert_eq!(gates.ite(a, b, a), Ok(both));
    assert_eq!(gates.ite(!b, yes, !a), Ok(!both), "not both: one of them fails");
    assert_eq!(gates.ite(both, no, yes), Ok(!both));
    let choice = gates.ite(a, b, c).unwrap();
    assert_eq!(gates.ite(!a, c, b), Ok(choice));
    assert_eq!(gates.ite(a, !b, !c), Ok(!choice));
    assert_eq!(gates.ite(a, !a, no), Ok(no));
    assert_ne!(choice, both);
}

/// Only what decides is asked for: the side of a choice that is not taken and the rest of a conjunction that fails are left out.
#[test]
fn the_tests_that_decide_suffice() {
    let mut gates = Gates::new(Budget::default());
    let [a, b, c] = [0, 1, 2].map(|question| gates.condition(&Expr::Atom(Atom { column: 0, question })).unwrap());
    let choice = gates.ite(a, b, c).unwrap();
    gates.tell(&[choice]);
    assert_eq!(gates.solve(&[choice, a]), Some(true));
    assert_eq!(gates.deciding(&[choice]), BTreeMap::from([(0, Outcomes::from([(0, true), (1, true)]))]));
    assert_eq!(gates.solve(&[choice, !a]), Some(true));
    assert_eq!(gates.deciding(&[choice]), BTreeMap::from([(0, Outcomes::from([(0, false), (2, true)]))]));
    assert_eq!(gates.solve(&[choice, a, !b]), Some(false));
    let some = Expr::All([0, 1, 2].map(|question| Expr::Atom(Atom { column: 0, question })).into());
    let fails = !gates.condition(&some).unwrap();
    gates.tell(&[fails]);
    assert_eq!(gates.solve(&[fails]), Some(true));
    let cube = gates.deciding(&[fails]);
    assert_eq!(cube[&0].values().collect::<Vec<_>>(), [&false], "{cube:?}");
}

/// What is said of two patterns holds for every string of a small world, and is said where it is the case for prefixes and subpaths.
#[test]
fn relations_of_patterns_hold_for_strings() {
    use PatternKind::{Literal, Prefix, Regex, Subpath};
    let texts = ["/", "/a", "/ab", "/a/b", "/a/b/c", "/a/bc", "/b", "/a/", "/ab/c"];
    let kinds = [Literal, Prefix, Subpath, Regex];
    let filters = texts.iter().flat_map(|text| kinds.map(|kind| path(kind, text)));
    let mut atoms = Atoms::canonical(default_target());
    filters.for_each(|filter| drop(atoms.compile(&filter)));
    atoms.freeze();
    let number = atoms.column_number(&attribute("path")).unwrap();
    let column = atoms.column(number).unwrap();
    let mut relations = Relations::new(1 << 12);
    let questions = 0..u32::try_from(column.questions.len()).unwrap();
    let is_regex = |question: u32| {
        let pattern = column.questions.get_index(question as usize).and_then(Question::pattern);
        pattern.is_some_and(|pattern| pattern.kind() == Regex)
    };
    let mut said = 0;
    for (one, other) in questions.clone().flat_map(|one| questions.clone().map(move |other| (one, other))) {
        let atom = |question| Atom { column: number, question };
        let relation = relations.of(column, atom(one), atom(other));
        let answers = |question| move |text: &&str| column_answers(column, question, text);
        let world =
            || texts.iter().chain(&["/a/x", "/abc", "/b/a"]).filter(|text| **text == "/" || !text.ends_with('/'));
        let both = world().any(|text| answers(one)(text) && answers(other)(text));
        let only_one = world().any(|text| answers(one)(text) && !answers(other)(text));
        let only_other = world().any(|text| !answers(one)(text) && answers(other)(text));
        assert!(!(relation.disjoint && both), "{one} {other}");
        assert!(!(relation.inside && only_one), "{one} {other}");
        assert!(!(relation.around && only_other), "{one} {other}");
        // The world is large enough to show whatever two prefixes or subpaths share.
        if !is_regex(one) && !is_regex(other) && both && !only_one {
            said += usize::from(relation.inside);
        }
    }
    assert!(said > 60, "{said}");
}

fn column_answers(column: &crate::decide::atoms::Column, question: u32, text: &str) -> bool {
    let crate::decide::atoms::Fact::Matches(bits) = column.fact(&Value::string(text)) else { return false };
    bits.get(question as usize / 64).is_some_and(|word| word >> (question % 64) & 1 == 1)
}

/// One value each: of a path, of a number, of the kinds of a Mach name; several of extensions; a file operation has a path.
#[test]
fn what_no_request_has_is_not_found() {
    let extension = |text: &str| test("extension", Arg::String(text.into()));
    let vnode = |number| test("vnode-type", Arg::Integer(number));
    for impossible in [
        vec![literal("/a"), literal("/b")],
        vec![literal("/a/b"), not(subpath("/a"))],
        vec![path(PatternKind::Regex, "^/a/"), path(PatternKind::Regex, "^/b/")],
        vec![subpath("/a"), path(PatternKind::Prefix, "/ab")],
        vec![not(subpath("/"))],
        vec![vnode(1), vnode(2)],
        vec![extension("x"), not(extension("x"))],
    ] {
        assert_eq!(find("file-read-data", &impossible), None, "{impossible:?}");
    }
    let (global, local) = (|| name("global-name", "a"), || name("local-name", "a"));
    assert_eq!(find("mach-lookup", &[global(), local()]), None);
    assert!(find("mach-lookup", &[not(global()), not(local())]).is_some());

    let found = find("file-read-data", &[subpath("/a"), not(literal("/a")), extension("x"), extension("y")]).unwrap();
    let value = |filter: &str| found.iter().find(|(known, _)| *known == attribute(filter)).map(|(_, value)| value);
    let names = BTreeMap::from([(b"x".to_vec(), ()), (b"y".to_vec(), ())]);
    let Some(Value::Strings(extensions)) = value("extension") else { panic!("{found:?}") };
    assert!(extensions.iter().all(|text| names.contains_key(text)) && extensions.len() == 2, "{found:?}");
    let Some(Value::Strings(paths)) = value("path") else { panic!("{found:?}") };
    assert!(paths[0].starts_with(b"/a/"), "{found:?}");
}

/// `${NAME}` in a path.
fn open(kind: PatternKind, text: &str) -> Filter {
    test("path", Arg::Pattern(Pattern::new(kind, text, true).unwrap()))
}

/// What no value of the variables makes possible is not found, however many variables there are.
#[test]
fn variables_contradict_each_other_whatever_they_stand_for() {
    use PatternKind::{Literal, Prefix, Regex, Subpath};
    for impossible in [
        vec![open(Subpath, "${HOME}/x"), not(open(Subpath, "${HOME}/x"))],
        vec![open(Literal, "${HOME}/x"), not(open(Subpath, "${HOME}"))],
        vec![open(Literal, "${HOME}/x"), open(Literal, "${HOME}/y")],
        vec![open(Subpath, "/p${HOME}/x"), open(Prefix, "/p${HOME}/y")],
        vec![open(Literal, "${HOME}/x"), not(path(Prefix, "/")), open(Subpath, "${OTHER}")],
        vec![open(Subpath, "${A}/m/${B}/x"), not(open(Prefix, "${A}/m/${B}"))],
        vec![open(Literal, "${A}/x"), open(Literal, "${B}/y")],
        vec![open(Regex, "^${HOME}/x$"), path(Regex, "y$")],
        vec![open(Subpath, "${ANY_USER_HOME}/x"), not(open(Subpath, "${ANY_USER_HOME}"))],
        // Three together: a home of which this path is /x is /h or /h/x/y.
        vec![
            open(Subpath, "${HOME}/x"),
            literal("/h/x/y/x"),
            not(open(Literal, "${HOME}/x")),
            not(open(Literal, "${HOME}/x/y/x")),
        ],
    ] {
        assert_eq!(find("file-read-data", &impossible), None, "{impossible:?}");
    }
}

/// What some values make possible is found with these values, and the tests come out as wanted with them.
#[test]
fn a_request_says_what_variables_stand_for() {
    use PatternKind::{Literal, Subpath};
    let words = |filters: &[Filter]| {
        let values = find("file-read-data", filters).unwrap();
        Request { operation: op("file-read-data"), values, closed: false }.words(default_target())
    };
    let home = || open(Literal, "${HOME}/x");
    assert_eq!(words(&[home(), subpath("/h")]), ["path=/h/x", "variable=HOME=/h"]);
    assert_eq!(words(&[home(), path(PatternKind::Regex, "^/[hk]/x$"), not(literal("/h/x"))])[1], "variable=HOME=/k");
    assert_eq!(words(&[not(home()), literal("/h/x")]), ["path=/h/x", "variable=HOME=/users/me"]);
    // A home that is no plain one.
    assert_eq!(words(&[not(home()), literal("/users/me/x")]), ["path=/users/me/x", "variable=HOME="]);
    let two = words(&[open(Subpath, "${HOME}"), open(Literal, "${OTHER}/x"), not(open(Literal, "${HOME}/x"))]);
    assert_eq!(two.len(), 3, "{two:?}");
    // Several homes of any user, but one of mine.
    let below = |name: &str| [format!("${{{name}}}/x"), format!("${{{name}}}/y")].map(|text| open(Subpath, &text));
    assert_eq!(find("file-read-data", &below("HOME")), None);
    assert!(find("file-read-data", &below("ANY_USER_HOME")).is_some());
}

/// What is possible as far as is known, but not found, is open and says for which variable: a difference is never made of that.
#[test]
fn what_hangs_on_a_variable_is_open() {
    use PatternKind::{Literal, Subpath};
    let two = || open(Subpath, "${A}/b/${B}");
    let twice = || open(Literal, "${A}${A}");
    for unknown in [vec![two()], vec![two(), literal("/a/b/c")], vec![twice(), literal("/abc")]] {
        let found = find_within(Budget::default(), "file-read-data", &unknown);
        assert_eq!(found, Err(Undecided::Variable("A".to_owned())), "{unknown:?}");
    }
    assert_eq!(find("file-read-data", &[two(), not(two())]), None);
    assert!(find("file-read-data", &[Filter::Any(vec![two(), not(two())])]).is_some());
    assert_eq!(find("file-read-data", &[two(), literal("/x")]), None, "no path that short");
}

/// Variables whose meaning is fixed are no text: other strings than their name match.
#[test]
fn fixed_variables_are_not_their_names() {
    use PatternKind::{Literal, Prefix, Subpath};
    let uuid = "/c/01234567-89ab-cdef-0123-456789abcdef";
    for kind in [Literal, Prefix, Subpath] {
        assert!(find("file-read-data", &[open(kind, "/c/${ANY_UUID}"), path(Prefix, uuid)]).is_some());
        assert!(find("file-read-data", &[open(kind, "/c/${ANY_PATH_COMPONENT}"), path(Prefix, "/c/d")]).is_some());
    }
    let component = |rest: &str| open(Literal, &format!("/c/${{ANY_PATH_COMPONENT}}{rest}"));
    assert!(find("file-read-data", &[component("a"), component("ba")]).is_some());
    assert_eq!(find("file-read-data", &[component("/a"), component("/ba")]), None);
    assert_eq!(find("file-read-data", &[component(""), not(path(Prefix, "/c/"))]), None);
}

/// What is said of two patterns with variables holds for every string and every value of a small world.
#[test]
fn relations_of_patterns_with_variables_hold_for_all_values() {
    use PatternKind::{Literal, Prefix, Subpath};
    let rests = ["", "/a", "a", "/a/b", "b", "${V}", "/${V}"];
    let begins = ["${V}", "/${V}", "${ANY_V}", "/${ANY_PATH_COMPONENT}", "/a", "/${W}"];
    let texts = || begins.iter().flat_map(|begin| rests.iter().map(move |rest| format!("{begin}{rest}")));
    let filters = texts().flat_map(|text| [Literal, Prefix, Subpath].map(|kind| open(kind, &text)));
    let mut atoms = Atoms::new(default_target());
    filters.for_each(|filter| drop(atoms.compile(&filter)));
    atoms.freeze();
    let number = atoms.column_number(&attribute("path")).unwrap();
    let column = atoms.column(number).unwrap();
    let patterns: Vec<Pattern> = column.questions.iter().filter_map(Question::pattern).collect();
    // For every string with every value: which patterns match.
    let strings =
        ["/", "/a", "/b", "/aa", "/ab", "/a/b", "/a/a", "/a/b/a", "/b/a", "/b/a/b", "/a/a/b", "/ba", "/a/b/b"];
    let mut worlds: Vec<Vec<bool>> = Vec::new();
    for (v, w) in [("/a", "/b"), ("/b", "/b"), ("/a/b", "a"), ("a", "/a"), ("b", "a/b")] {
        for many in [&["/a", "/a/a"][..], &["/b", "a"], &["/a/b", "/a"]] {
            let mut variables = Variables::none();
            variables.add("v", v);
            variables.add("w", w);
            many.iter().for_each(|value| variables.add("any_v", *value));
            let row = |text: &&str| patterns.iter().map(|each| each.matches(text.as_bytes(), &variables)).collect();
            worlds.extend(strings.iter().map(row));
        }
    }
    let mut relations = Relations::new(1 << 12);
    let mut said = [0; 3];
    for (one, other) in (0..patterns.len()).flat_map(|one| (0..patterns.len()).map(move |other| (one, other))) {
        let atom = |question: usize| Atom { column: number, question: question as u32 };
        let Relation { disjoint, inside, around } = relations.of(column, atom(one), atom(other));
        let names = || format!("{:?} {:?}", patterns[one], patterns[other]);
        let any = |a: bool, b: bool| worlds.iter().any(|row| row[one] == a && row[other] == b);
        assert!(!(disjoint && any(true, true)), "{}", names());
        assert!(!(inside && any(true, false)), "{}", names());
        assert!(!(around && any(false, true)), "{}", names());
        [disjoint, inside, around].into_iter().zip(&mut said).for_each(|(says, count)| *count += i32::from(says));
    }
    assert!(said.iter().all(|count| *count > 400), "{said:?}");
}

#[test]
fn a_spent_budget_is_an_error() {
    let filters = [subpath("/a"), not(path(PatternKind::Regex, "/b/c$"))];
    let full = Budget::default();
    assert!(find_within(full, "file-read-data", &filters).unwrap().is_some());
    for (budget, error) in [
        (Budget { nodes: 2, ..full }, Undecided::Nodes),
        (Budget { states: 1, ..full }, Undecided::States),
        (Budget { trials: 0, ..full }, Undecided::Trials),
    ] {
        assert_eq!(find_within(budget, "file-read-data", &filters), Err(error), "{budget:?}");
    }
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let paths = prop::sample::select(vec!["/a", "/a/b", "/ab", "/b", "/a/b/c", "/"]);
    let kinds = prop::sample::select(vec![PatternKind::Literal, PatternKind::Subpath, PatternKind::Prefix]);
    let leaf = prop_oneof![
        4 => (kinds, paths).prop_map(|(kind, text)| path(kind, text)),
        1 => prop::sample::select(vec!["^/a/", "c$", "/[ab]/"]).prop_map(|text| path(PatternKind::Regex, text)),
        1 => prop::sample::select(vec!["x", "y"]).prop_map(|name| test("extension", Arg::String(name.into()))),
        1 => (1u16..3).prop_map(|number| test("vnode-type", Arg::Integer(number))),
        1 => (1u16..4).prop_map(|bits| test("file-mode", Arg::Integer(bits))),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Filter::All),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Filter::Any),
            inner.prop_map(not),
        ]
    })
}

/// Two policies that have all rules in common but one: often it makes no difference.
fn two_policies() -> impl Strategy<Value = (Policy, Policy)> {
    let operation = prop::sample::select(vec!["file-read*", "file-read-data", "file*", "default"]);
    let action = prop::sample::select(vec![Action::Allow, Action::Deny]);
    let rule = (action, operation, prop::option::weighted(0.9, any_filter()));
    (prop::collection::vec(rule, 1..7), any::<prop::sample::Index>()).prop_map(|(rules, at)| {
        let mut fewer = rules.clone();
        fewer.remove(at.index(rules.len()));
        (policy(fewer), policy(rules))
    })
}

fn requests() -> impl Iterator<Item = Request> {
    let paths = ["/", "/a", "/a/b", "/a/b/c", "/b", "/b/c", "/c", "/a/c", "/ab", "/ab/c"];
    let extensions = [&[][..], &["x"], &["y"], &["x", "y"]];
    let numbers = (1..4u16).flat_map(|vnode| (0..4u16).map(move |mode| (vnode, mode)));
    paths.into_iter().flat_map(move |path| {
        let numbers = numbers.clone();
        extensions.into_iter().flat_map(move |names| {
            let names: Vec<Vec<u8>> = names.iter().map(|name| name.as_bytes().to_vec()).collect();
            numbers.clone().map(move |(vnode, mode)| {
                Request::new(op("file-read-data"))
                    .with_path(path)
                    .with(attribute("extension"), Value::Strings(names.clone()))
                    .with(attribute("vnode-type"), Value::number(vnode))
                    .with(attribute("file-mode"), Value::number(mode))
            })
        })
    })
}

/// The prover finds a request that one policy allows and the other refuses exactly where the diagram engine does; both engines answer
/// it so, and none of a small world is overlooked.
#[test]
fn the_prover_agrees_with_the_diagram_and_with_all_requests_of_a_small_world() {
    let config = ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() };
    let (equal, different) = (Cell::new(0), Cell::new(0));
    let operation = op("file-read-data");
    let law = |(a, b): (Policy, Policy)| {
        let target = default_target();
        let mut atoms = Atoms::canonical(target);
        let rules = [&a, &b].map(|policy| Rules::new(policy, &mut atoms));
        atoms.freeze();
        let exclusive = Exclusive::new(target);
        let mut prover = Prover::new(&atoms, &exclusive, target, Budget::default());
        let mut dag = Dag::new(Budget::default().nodes);
        rules.iter().for_each(|rules| rules.order(&mut dag));
        let at = usize::from(operation.0);
        let [gate_a, gate_b] =
            [(&rules[0], &a), (&rules[1], &b)].map(|(rules, policy)| rules.roots(policy, prover.store()).unwrap()[at]);
        let [root_a, root_b] =
            [(&rules[0], &a), (&rules[1], &b)].map(|(rules, policy)| rules.roots(policy, &mut dag).unwrap()[at]);
        let engines = [&a, &b].map(|policy| Engine::new(policy.clone()));
        let answers = |request: &Request| [0, 1].map(|side| engines[side].decide(request).answer);
        let ways = [
            ([gate_a, !gate_b], dag.ite(root_b, Root::DENY, root_a).unwrap(), [Answer::Allow, Answer::Deny]),
            ([!gate_a, gate_b], dag.ite(root_a, Root::DENY, root_b).unwrap(), [Answer::Deny, Answer::Allow]),
        ];
        for (wanted, root, expected) in ways {
            let found = prover.find(operation, &wanted).unwrap();
            let mut space = Space::new(&atoms, &exclusive, target, Budget::default());
            let by_diagram = space.find(&mut dag, operation, root).unwrap();
            prop_assert_eq!(found.is_some(), by_diagram.is_some(), "{:?}\n{:?}", found, by_diagram);
            match found {
                Some(values) => {
                    different.set(different.get() + 1);
                    let witness = Request { operation, values, closed: false };
                    prop_assert_eq!(answers(&witness), expected, "{:?}", witness);
                }
                None => {
                    equal.set(equal.get() + 1);
                    let overlooked = requests().find(|request| answers(request) == expected);
                    prop_assert!(overlooked.is_none(), "{:?}", overlooked);
                }
            }
        }
        Ok(())
    };
    TestRunner::new(config).run(&two_policies(), law).unwrap();
    // A sample that says something of both answers.
    assert!(equal.get() >= 20 && different.get() >= 20, "{equal:?} {different:?}");
}
