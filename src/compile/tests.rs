use proptest::prelude::*;

use super::*;
use crate::blob::{Argument, ModifierArgument, NodeId, ProgramNode, Roots};
use crate::pattern::{Pattern, Variables, code};
use crate::policy::{
    Arg, Fallback, Filter, MessageFilter, Modifier, ModifierValue, Policy, Rule, RuleSource, Test as Comparison,
};
use crate::vocab::{Action, FilterId, ModifierId, OpId, default_target};

const PATH: FilterId = FilterId(1);
const DOMAIN: FilterId = FilterId(11);
const TYPE: FilterId = FilterId(12);
const TARGET: FilterId = FilterId(14);
const VNODE_TYPE: FilterId = FilterId(29);
const LOAD: FilterId = FilterId(30);
const BOOLEAN: FilterId = FilterId(31);

fn op(name: &str) -> OpId {
    default_target().operation_named(name).unwrap()
}

fn test(filter: FilterId, arg: Arg) -> Filter {
    Filter::Test(Comparison { filter, arg })
}

pub(super) fn literal(text: &str) -> Filter {
    test(PATH, Arg::Pattern(Pattern::literal(text)))
}

fn subpath(text: &str) -> Filter {
    test(PATH, Arg::Pattern(Pattern::subpath(text)))
}

pub(super) fn rule(action: Action, operations: &[&str], filter: Option<Filter>) -> Rule {
    Rule {
        action,
        operations: operations.iter().map(|name| op(name)).collect(),
        filter,
        modifiers: Vec::new(),
        source: RuleSource::Profile,
        origin: None,
    }
}

pub(super) fn policy(rules: impl IntoIterator<Item = Rule>) -> Policy {
    let mut policy = Policy::new(default_target(), 1);
    for rule in rules {
        policy.push(rule);
    }
    policy
}

fn compiled(rules: impl IntoIterator<Item = Rule>) -> Compiled {
    compile(&policy(rules), &Limits::default()).unwrap()
}

/// The tests on the way from the root of `operation` along the else edges, as `filter` or `filter=number`.
fn chain(program: &Program, operation: &str) -> Vec<String> {
    let Roots::Single(roots) = &program.roots else { panic!("a single profile") };
    let mut at = roots[usize::from(op(operation).0)];
    let mut out = Vec::new();
    loop {
        match program.node(at).unwrap() {
            ProgramNode::Terminal(terminal) => {
                let flags = program.terminal(*terminal).unwrap().flags;
                out.push(if flags & 1 == 1 { "deny" } else { "allow" }.to_owned());
                return out;
            }
            ProgramNode::Test { filter, argument, unmatched, .. } => {
                out.push(match argument {
                    Argument::Integer(number) => format!("{filter}={number}"),
                    _ => filter.to_string(),
                });
                at = *unmatched;
            }
        }
    }
}

#[test]
fn another_target_is_refused() {
    let policy = Policy::new(crate::vocab::target("macos-15.2").unwrap(), 1);
    let error = compile(&policy, &Limits::default()).unwrap_err();
    assert_eq!(error.code(), codes::TARGET);
    assert!(error.to_string().contains("macos-15.2"), "{error}");
}

/// `spec/codegen-rules.md` §1.3: newest first, but behind a run of the same number filter.
#[test]
fn joined_rules_stand_newest_first_but_numbers_of_one_filter_keep_their_order() {
    let deny = |filter| rule(Action::Deny, &["network-outbound"], Some(filter));
    let allow = rule(Action::Allow, &["default"], None);
    let number = |filter, value| test(filter, Arg::Integer(value));
    let program = compiled([allow.clone(), deny(number(DOMAIN, 2)), deny(number(TYPE, 1))]).program;
    assert_eq!(chain(&program, "network-outbound"), ["12=1", "11=2", "allow"]);
    let program = compiled([allow, deny(number(DOMAIN, 2)), deny(number(DOMAIN, 30))]).program;
    assert_eq!(chain(&program, "network-outbound"), ["11=2", "11=30", "allow"]);
}

/// §5.3: `vnode-type` is cheaper than a path and stands before it, whatever the source says.
#[test]
fn a_cheaper_test_comes_first() {
    let both = Filter::Any(vec![literal("/a"), test(VNODE_TYPE, Arg::Integer(1))]);
    let program = compiled([rule(Action::Allow, &["file-read*"], Some(both))]).program;
    assert_eq!(chain(&program, "file-read*"), ["29=1", "1", "deny"]);
}

/// §5.4: tests of strings with one answer are one record.
#[test]
fn neighbouring_string_tests_are_united() {
    let rules = ["/a", "/b", "/c"].map(|path| rule(Action::Allow, &["file-read*"], Some(literal(path))));
    let program = compiled(rules).program;
    assert_eq!(chain(&program, "file-read*"), ["1", "deny"]);
}

/// §5.1: what cannot match together disappears.
#[test]
fn a_conjunction_of_disjoint_paths_is_nothing() {
    let never = Filter::All(vec![subpath("/a"), subpath("/b")]);
    let program = compiled([rule(Action::Allow, &["file-read*"], Some(never))]).program;
    assert_eq!(chain(&program, "file-read*"), ["deny"]);
}

/// §6.2: under an allow fallback the mask holds the whole universe but the number that is denied.
#[test]
fn numbers_that_are_allowed_anyway_go_into_a_mask() {
    let denied = rule(Action::Deny, &["system-fcntl"], Some(test(FilterId(78), Arg::Integer(1))));
    let compiled = compiled([rule(Action::Allow, &["system-fcntl"], None), denied]);
    assert_eq!(chain(&compiled.program, "system-fcntl"), ["78", "78=1", "allow"]);
    let numbers: Vec<u32> = compiled.program.bitmasks[0].numbers().collect();
    assert_eq!(numbers, [0].into_iter().chain(2..112).collect::<Vec<_>>());
    assert_eq!(compiled.unproven, []);
}

/// §7: a filter that denies has a program; one that allows leaves only a terminal of its own.
#[test]
fn a_message_filter_is_a_program_behind_its_terminal() {
    let with = |action| {
        let inner = MessageFilter { rules: vec![rule(action, &["iokit-external-method"], None)] };
        let filter = Modifier { id: ModifierId(19), value: ModifierValue::Rules(inner) };
        let open = rule(Action::Allow, &["iokit-open-user-client"], None);
        compiled([Rule { modifiers: vec![filter], ..open }]).program
    };
    let denies = with(Action::Deny);
    assert_eq!(denies.type_bits, 0x4000);
    assert_eq!(denies.policies.len(), 1);
    let modifiers: Vec<_> = denies.terminals.iter().flat_map(|terminal| &terminal.modifiers).collect();
    assert!(matches!(modifiers[..], [modifier] if modifier.id == 19
        && modifier.operation == op("iokit-external-method").0
        && matches!(modifier.argument, ModifierArgument::Policy(_))));
    let allows = with(Action::Allow);
    assert_eq!((allows.type_bits, allows.policies.len()), (0, 0));
    let plain = allows.terminals.iter().filter(|terminal| terminal.flags == 0 && terminal.modifiers.is_empty());
    assert_eq!(plain.count(), 2);
}

/// `spec/blob-format.md` §5.2.
#[test]
fn flags_and_modifiers_of_a_terminal() {
    let modifier = |id, value| Modifier { id: ModifierId(id), value };
    let deny = Rule {
        modifiers: vec![
            modifier(10, ModifierValue::String(b"why".to_vec())),
            modifier(4, ModifierValue::Flag),
            modifier(1, ModifierValue::Integer(9)),
        ],
        ..rule(Action::Deny, &["file-read*"], Some(literal("/a")))
    };
    let compiled = compiled([deny]);
    let terminal = compiled.program.terminals.iter().find(|terminal| terminal.modifiers.len() == 2).unwrap();
    assert_eq!(terminal.flags, 1);
    let ids: Vec<u8> = terminal.modifiers.iter().map(|modifier| modifier.id).collect();
    assert_eq!(ids, [1, 10]);
    assert!(compiled.unproven.iter().any(|construct| construct.name == "modifier-array"));
}

/// An entitlement's value is tested behind its own load, even when two loads have the same value test.
#[test]
fn values_of_two_entitlements_are_not_confused() {
    let both = Filter::All(vec![is_true("a"), is_true("b")]);
    let program = compiled([rule(Action::Allow, &["file-read*"], Some(both))]).program;
    let count = |wanted: u8| {
        program
            .nodes
            .iter()
            .filter(|node| matches!(node, ProgramNode::Test { filter, .. } if *filter == wanted))
            .count()
    };
    assert_eq!((count(30), count(31)), (2, 2));
}

pub(super) fn load(name: &str) -> Filter {
    test(LOAD, Arg::String(name.as_bytes().to_vec()))
}

/// An entitlement is there and true.
pub(super) fn is_true(name: &str) -> Filter {
    Filter::All(vec![load(name), test(BOOLEAN, Arg::Bool(true))])
}

/// An entitlement that is known to be there is loaded again where another one was loaded since and its value is asked for; where its
/// value is not asked for it is not.
#[test]
fn an_entitlement_is_loaded_again_behind_another_one() {
    let program = |last: Filter| {
        let either = vec![Filter::All(vec![load("b"), literal("/b")]), Filter::All(vec![last, literal("/a")])];
        let filter = Filter::All(vec![load("a"), Filter::Any(either)]);
        compiled([rule(Action::Allow, &["file-read*"], Some(filter))]).program
    };
    let loads = |program: &Program| {
        let is_load =
            |node: &&ProgramNode| matches!(node, ProgramNode::Test { filter, .. } if FilterId(*filter) == LOAD);
        program.nodes.iter().filter(is_load).count()
    };
    let asked = program(is_true("a"));
    for (a, decision) in [(true, Action::Allow), (false, Action::Deny)] {
        for b in [None, Some(true), Some(false)] {
            let request = Request { path: "/a", vnode_type: 1, target_self: false, entitlements: [Some(a), b] };
            assert_eq!(by_program(&asked, op("file-read*"), request), decision, "{request:?}");
        }
    }
    assert_eq!((loads(&asked), loads(&program(load("a")))), (3, 2));
}

#[test]
fn too_many_nodes_are_refused() {
    let rules = (0..100).map(|n| rule(Action::Allow, &["file-read*"], Some(literal(&format!("/{n}")))));
    let error = compile(&policy(rules), &Limits { nodes: 50, ..Limits::default() }).unwrap_err();
    assert_eq!(error.code(), codes::LIMIT);
}

/// What a request looks like in the property below.
#[derive(Debug, Clone, Copy)]
struct Request {
    path: &'static str,
    vnode_type: u16,
    target_self: bool,
    /// The values of `a` and `b`.
    entitlements: [Option<bool>; 2],
}

impl Request {
    /// The value of the entitlement called `name`.
    fn entitlement(&self, name: &[u8]) -> Option<bool> {
        self.entitlements[usize::from(name == b"b")]
    }
}

const PATHS: &[&str] = &["/a", "/a/b", "/b", "/ab", "/c"];

/// Whether `filter` holds; `loaded` is the value of the entitlement that was loaded last.
fn holds(filter: &Filter, request: Request, loaded: &mut Option<bool>) -> bool {
    match filter {
        Filter::All(parts) => parts.iter().all(|part| holds(part, request, loaded)),
        Filter::Any(parts) => parts.iter().any(|part| holds(part, request, &mut loaded.clone())),
        Filter::Not(inner) => !holds(inner, request, &mut loaded.clone()),
        Filter::Test(test) => match (&test.arg, test.filter) {
            (Arg::Pattern(pattern), _) => pattern.matches(request.path.as_bytes(), &Variables::none()),
            (Arg::Integer(number), VNODE_TYPE) => *number == request.vnode_type,
            (Arg::Integer(_), TARGET) => request.target_self,
            (Arg::String(name), LOAD) => {
                *loaded = request.entitlement(name).or(*loaded);
                request.entitlement(name).is_some()
            }
            (Arg::Bool(wanted), BOOLEAN) => *loaded == Some(*wanted),
            _ => false,
        },
    }
}

/// The decision by the rules themselves (`spec/sbpl-language.md` §7).
fn by_rules(policy: &Policy, operation: OpId, request: Request) -> Action {
    let mut current = operation;
    loop {
        for &id in policy.operation(current).filtered.iter().rev() {
            let rule = policy.get(id).unwrap();
            if rule.filter.as_ref().is_some_and(|filter| holds(filter, request, &mut None)) {
                return rule.action;
            }
        }
        match policy.fallback(current) {
            Fallback::Rule(id) => return policy.get(id).unwrap().action,
            Fallback::Own(action) => return action,
            Fallback::Parent(parent) => current = parent,
        }
    }
}

fn by_program(program: &Program, operation: OpId, request: Request) -> Action {
    let Roots::Single(roots) = &program.roots else { panic!("a single profile") };
    let mut at: NodeId = roots[usize::from(operation.0)];
    let mut loaded = None;
    loop {
        match *program.node(at).unwrap() {
            ProgramNode::Terminal(terminal) => {
                let deny = program.terminal(terminal).unwrap().flags & 1 == 1;
                return if deny { Action::Deny } else { Action::Allow };
            }
            ProgramNode::Test { argument, filter, matched, unmatched } => {
                let holds = match argument {
                    Argument::Pattern(id) => {
                        let bytes = code::encode(&program.patterns[id.index()], code::Style::Modern).unwrap();
                        code::run(&bytes, request.path.as_bytes(), &[]).unwrap()
                    }
                    Argument::Integer(number) if FilterId(filter) == VNODE_TYPE => number == request.vnode_type,
                    Argument::Integer(number) if FilterId(filter) == BOOLEAN => loaded == Some(number == 1),
                    Argument::String(name) => {
                        let value = request.entitlement(&program.strings[name.index()]);
                        loaded = value.or(loaded);
                        value.is_some()
                    }
                    _ => request.target_self,
                };
                at = if holds { matched } else { unmatched };
            }
        }
    }
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![
        proptest::sample::select(PATHS).prop_map(literal),
        proptest::sample::select(PATHS).prop_map(subpath),
        (1_u16..4).prop_map(|number| test(VNODE_TYPE, Arg::Integer(number))),
        Just(test(TARGET, Arg::Integer(1))),
        proptest::sample::select(&["a", "b"][..]).prop_map(load),
        proptest::sample::select(&["a", "b"][..]).prop_map(is_true),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Filter::All),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Filter::Any),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

pub(super) fn any_rule() -> impl Strategy<Value = Rule> {
    let operations = proptest::sample::select(&["default", "file*", "file-read*", "file-read-data", "file-write*"][..]);
    (any::<bool>(), operations, proptest::option::weighted(0.8, any_filter())).prop_map(|(allow, operation, filter)| {
        rule(if allow { Action::Allow } else { Action::Deny }, &[operation], filter)
    })
}

proptest! {
    /// No pass changes what is decided: the written program answers as the rules do.
    #[test]
    fn the_program_decides_as_the_rules(rules in proptest::collection::vec(any_rule(), 1..9)) {
        let policy = policy(rules);
        let program = compile(&policy, &Limits::default()).unwrap().program;
        let values = [None, Some(false), Some(true)];
        let entitlements = values.iter().flat_map(|a| values.map(|b| [*a, b]));
        let rest: Vec<_> = entitlements.flat_map(|values| [(false, values), (true, values)]).collect();
        for operation in ["default", "file-read*", "file-read-data", "file-write-data", "file-write-setugid"].map(op) {
            for &path in PATHS {
                for vnode_type in 0..4 {
                    for (target_self, entitlements) in &rest {
                        let request = Request { path, vnode_type, target_self: *target_self, entitlements: *entitlements };
                        prop_assert_eq!(
                            by_program(&program, operation, request),
                            by_rules(&policy, operation, request)
                        );
                    }
                }
            }
        }
    }

    /// The same policy gives the same bytes.
    #[test]
    fn compiling_is_deterministic(rules in proptest::collection::vec(any_rule(), 1..9)) {
        let policy = policy(rules);
        let once = compile(&policy, &Limits::default()).unwrap().bytes;
        prop_assert_eq!(once, compile(&policy, &Limits::default()).unwrap().bytes);
    }
}
