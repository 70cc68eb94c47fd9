//! The order of rules, unknown values, exclusive attributes, links on the way.

use super::*;
use crate::pattern::Pattern;
use crate::policy::samples::{id, literal, name, op, policy, subpath, test};
use crate::policy::{Arg, Filter, Host, NetworkAddress, RuleId};
use crate::vocab::{Action, OpId, Target, default_target};

const ALLOW: Action = Action::Allow;
const DENY: Action = Action::Deny;

fn target() -> &'static Target {
    default_target()
}

fn extension(text: &str) -> Filter {
    test("extension", Arg::String(text.into()))
}

fn engine(rules: impl IntoIterator<Item = (Action, &'static str, Option<Filter>)>) -> Engine {
    Engine::new(policy(rules))
}

fn path(operation: &str, path: &str) -> Request {
    Request::new(op(operation)).with_path(path)
}

fn with(operation: &str, arguments: &[&str]) -> Request {
    let mut request = Request::new(op(operation));
    for argument in arguments {
        request.add_argument(target(), argument).unwrap();
    }
    request
}

/// `spec/sbpl-language.md` section 7, the table of examples and points 3 to 7.
#[test]
fn the_order_of_rules() {
    let later = engine([(ALLOW, "file-read*", Some(subpath("/a"))), (DENY, "file-read*", Some(literal("/a/b")))]);
    assert_eq!(later.decide(&path("file-read*", "/a/b")).answer, Answer::Deny);
    let earlier = engine([(DENY, "file-read*", Some(literal("/a/b"))), (ALLOW, "file-read*", Some(subpath("/a")))]);
    assert_eq!(earlier.decide(&path("file-read*", "/a/b")).answer, Answer::Allow);

    let unfiltered =
        engine([(ALLOW, "default", None), (ALLOW, "file-write*", Some(subpath("/a"))), (DENY, "file-write*", None)]);
    let verdict = unfiltered.decide(&path("file-write*", "/a/x"));
    assert_eq!((verdict.answer, verdict.decider), (Answer::Allow, Decider::Rule(RuleId(1))));
    assert_eq!(unfiltered.decide(&path("file-write*", "/b")).decider, Decider::Rule(RuleId(2)));

    let specific =
        engine([(ALLOW, "file-write-create", Some(subpath("/a"))), (DENY, "file-write*", Some(subpath("/a")))]);
    assert_eq!(specific.decide(&path("file-write-create", "/a/x")).answer, Answer::Allow);
    assert_eq!(specific.decide(&path("file-write-data", "/a/x")).answer, Answer::Deny);

    let hidden = engine([(ALLOW, "file-read-metadata", None), (DENY, "file-read*", Some(subpath("/")))]);
    assert_eq!(hidden.decide(&path("file-read-metadata", "/x")).answer, Answer::Allow);

    let own = engine([(ALLOW, "default", None)]);
    let verdict = own.decide(&path("file-write-setugid", "/x"));
    assert_eq!((verdict.answer, verdict.decider), (Answer::Deny, Decider::Own(op("file-write-setugid"))));
}

#[test]
fn bind_asks_inbound_and_then_network() {
    let address = |port| NetworkAddress { protocol: 3, host: Host::Any, port };
    let local = |port| test("local", Arg::Network(address(port)));
    let engine = engine([(ALLOW, "network-bind", Some(local(Some(80)))), (ALLOW, "network*", Some(local(Some(82))))]);
    assert_eq!(engine.decide(&with("network-bind", &["local=tcp4:localhost:80"])).answer, Answer::Allow);
    let verdict = engine.decide(&with("network-bind", &["local=tcp4:localhost:81"]));
    assert_eq!((verdict.answer, verdict.decider), (Answer::Deny, Decider::Own(OpId::DEFAULT)));
    assert_eq!(engine.decide(&with("network-bind", &["local=tcp4:localhost:82"])).answer, Answer::Allow);
    let unknown = engine.decide(&with("network-bind", &["local=tcp"]));
    assert_eq!((unknown.answer, unknown.depends_on), (Answer::Depends, vec![Attribute::Filter(id("local"))]));
}

#[test]
fn protocol_and_host_bits() {
    let case = |protocol, host, text: &str| {
        let filter = test("remote", Arg::Network(NetworkAddress { protocol, host, port: None }));
        engine([(ALLOW, "network-outbound", Some(filter))]).decide(&with("network-outbound", &[text])).answer
    };
    for (protocol, host, text, answer) in [
        (7, Host::Any, "remote=tcp4:localhost:22", Answer::Allow),
        (7, Host::Any, "remote=udp:localhost:22", Answer::Deny),
        (5, Host::Any, "remote=tcp:localhost:22", Answer::Depends),
        (5, Host::Any, "remote=tcp6:localhost:22", Answer::Deny),
        (3, Host::Localhost, "remote=tcp:127.0.0.1:22", Answer::Allow),
        (3, Host::Localhost, "remote=tcp:[::1]:22", Answer::Allow),
        (3, Host::Localhost, "remote=tcp:127.0.0.2:22", Answer::Deny),
        (3, Host::Localhost, "remote=raw:*:*", Answer::Depends),
        (11, Host::Any, "remote=raw4:localhost", Answer::Deny),
    ] {
        assert_eq!(case(protocol, host, text), answer, "{protocol} {text}");
    }
}

#[test]
fn what_is_not_given_is_unknown_and_named() {
    let engine = engine([
        (ALLOW, "file-read*", Some(Filter::All(vec![extension("x"), subpath("/a")]))),
        (ALLOW, "mach-lookup", Some(Filter::Any(vec![extension("m"), Filter::Not(Box::new(extension("m")))]))),
    ]);
    let verdict = engine.decide(&path("file-read-data", "/a/b"));
    assert_eq!((verdict.answer, &verdict.depends_on[..]), (Answer::Depends, &[Attribute::Filter(id("extension"))][..]));
    assert_eq!((verdict.before, verdict.decider), (vec![RuleId(0)], Decider::Own(OpId::DEFAULT)));
    assert_eq!(engine.decide(&path("file-read-data", "/b")).answer, Answer::Deny);
    let mut request = path("file-read-data", "/a/b");
    request.add_argument(target(), "extension=y").unwrap();
    assert_eq!(engine.decide(&request).answer, Answer::Deny);
    request.add_argument(target(), "extension=x").unwrap();
    assert_eq!(engine.decide(&request).answer, Answer::Allow);
    // A condition and its negation need no value.
    assert_eq!(engine.decide(&Request::new(op("mach-lookup"))).answer, Answer::Allow);
    let mut closed = Request::new(op("file-read-data"));
    closed.closed = true;
    assert_eq!(engine.decide(&closed).answer, Answer::Deny);
}

#[test]
fn undecided_rules_of_the_same_action_do_not_matter() {
    let engine = engine([(ALLOW, "default", None), (ALLOW, "file-read*", Some(extension("x")))]);
    let verdict = engine.decide(&path("file-read*", "/a"));
    assert_eq!((verdict.answer, verdict.only_decider()), (Answer::Allow, None));
}

#[test]
fn a_mach_name_is_global_or_local_and_a_socket_has_one_kind() {
    let names = engine([(ALLOW, "mach-lookup", Some(name("local-name", "s")))]);
    assert_eq!(names.decide(&with("mach-lookup", &["global-name=s"])).answer, Answer::Deny);
    assert_eq!(names.decide(&with("mach-lookup", &["local-name=s"])).answer, Answer::Allow);
    assert_eq!(names.decide(&with("mach-lookup", &[])).answer, Answer::Depends);
    let sockets = engine([
        (ALLOW, "network-outbound", Some(literal("/private/var/run/s"))),
        (ALLOW, "network-outbound", Some(name("control-name", "c"))),
    ]);
    assert_eq!(sockets.decide(&with("network-outbound", &["remote=tcp:localhost:22"])).answer, Answer::Deny);
    assert_eq!(sockets.decide(&path("network-outbound", "/private/var/run/s")).answer, Answer::Allow);
    assert_eq!(sockets.decide(&path("network-outbound", "/private/var/run/t")).answer, Answer::Deny);
}

/// `spec/versions-and-defaults.md` section 6: path filters fold, Mach names do not.
#[test]
fn case_is_folded_for_paths_only() {
    let engine = engine([
        (ALLOW, "file-read*", Some(literal("/Private/Foo"))),
        (ALLOW, "mach-lookup", Some(name("global-name", "com.Example"))),
    ]);
    assert_eq!(engine.decide(&path("file-read*", "/private/FOO")).answer, Answer::Allow);
    assert_eq!(engine.decide(&with("mach-lookup", &["global-name=com.Example"])).answer, Answer::Allow);
    assert_eq!(engine.decide(&with("mach-lookup", &["global-name=com.example"])).answer, Answer::Deny);
}

#[test]
fn entitlements_are_one_value_whatever_filters_test_them() {
    let load = |entitlement: &str, value: Filter| {
        Filter::All(vec![test("%entitlement-load", Arg::String(entitlement.into())), value])
    };
    let engine = engine([
        (ALLOW, "mach-lookup", Some(load("e", name("%entitlement-string", "v")))),
        (ALLOW, "sysctl-read", Some(test("%entitlement-is-bool-true", Arg::String("e".into())))),
        (ALLOW, "file-read*", Some(load("e", test("%entitlement-boolean", Arg::Bool(false))))),
    ]);
    let asked = |operation: &str, value: &str| engine.decide(&with(operation, &[value])).answer;
    assert_eq!(asked("mach-lookup", "entitlement=e=v"), Answer::Allow);
    assert_eq!(asked("mach-lookup", "entitlement=e"), Answer::Deny);
    assert_eq!(asked("mach-lookup", "entitlement=f"), Answer::Depends);
    assert_eq!(asked("sysctl-read", "entitlement=e"), Answer::Allow);
    assert_eq!(asked("sysctl-read", "entitlement=e="), Answer::Deny);
    assert_eq!(asked("file-read*", "entitlement=e=false"), Answer::Allow);
    assert_eq!(asked("file-read*", "entitlement=e="), Answer::Deny);
}

/// `spec/probe-runner.md` section 8, point 3: every link on the way needs its metadata.
#[test]
fn a_refused_link_refuses_the_call() {
    let world = World::macos_14();
    let both = || Some(Filter::Any(vec![literal("/etc/hosts"), literal("/private/etc/hosts")]));
    let without = engine([(ALLOW, "file-read*", both())]);
    let request = Request::new(op("file-read-data"));
    let verdict = without.decide_path(&request, b"/etc/hosts", &world, None).unwrap();
    assert_eq!((verdict.answer, verdict.operation.answer), (Answer::Deny, Answer::Allow));
    assert_eq!(verdict.refused_link().unwrap().0, b"/etc");
    assert_eq!(verdict.decisive(), &verdict.links[0].1);
    let with = engine([(ALLOW, "file-read*", both()), (ALLOW, "file-read-metadata", Some(literal("/etc")))]);
    assert_eq!(with.decide_path(&request, b"/etc/hosts", &world, None).unwrap().answer, Answer::Allow);
    // The link itself: lstat asks about its own path and crosses no link.
    let lstat = with.decide_path(&Request::new(op("file-read-metadata")), b"/etc", &world, None).unwrap();
    assert_eq!((lstat.answer, lstat.links.len()), (Answer::Allow, 0));
}

#[test]
fn explanations_show_every_test_up_to_the_decision() {
    let engine = engine([
        (ALLOW, "file-read*", Some(subpath("/a"))),
        (DENY, "file-read-data", Some(Filter::All(vec![literal("/a/b"), extension("x")]))),
    ]);
    let steps = engine.explain(&path("file-read-data", "/a/c"));
    let shown: Vec<_> = steps.iter().map(|step| (step.operation, step.decider, step.holds)).collect();
    assert_eq!(
        shown,
        [
            (op("file-read-data"), Decider::Rule(RuleId(1)), Truth::False),
            (op("file-read*"), Decider::Rule(RuleId(0)), Truth::True),
        ]
    );
    assert_eq!(steps[0].tests.iter().map(|(_, truth)| *truth).collect::<Vec<_>>(), [Truth::False, Truth::Unknown]);
}

/// Decisions leave out rules whose gate is closed; explanations ask every rule.
#[test]
fn rules_that_are_left_out_do_not_match() {
    let not_a = Filter::Not(Box::new(subpath("/a")));
    let engine = engine([
        (ALLOW, "file-read*", Some(subpath("/a"))),
        (DENY, "file-read*", Some(Filter::All(vec![extension("x"), subpath("/a/B")]))),
        (
            ALLOW,
            "file-read*",
            Some(Filter::Any(vec![literal("/a/b/c"), Filter::All(vec![literal("/q"), extension("y")])])),
        ),
        (DENY, "file-read*", Some(Filter::All(vec![not_a, literal("/q")]))),
        (ALLOW, "file-read-data", Some(Filter::Any(vec![literal("/z"), extension("z")]))),
        (DENY, "file-read-data", Some(Filter::Any(vec![literal("/a"), literal("/z")]))),
    ]);
    let paths = ["/", "/a", "/A/b", "/a/b/c", "/Q", "/z"].map(Value::string);
    let paths: Vec<Option<Value>> = [None, Some(Value::Absent)].into_iter().chain(paths.map(Some)).collect();
    let extensions = [None, Some(Value::Absent), Some(Value::string("x")), Some(Value::string("z"))];
    let mut deciders = std::collections::BTreeSet::new();
    for operation in ["file-read*", "file-read-data", "file-read-metadata"] {
        for (path, extension) in paths.iter().flat_map(|path| extensions.iter().map(move |other| (path, other))) {
            for closed in [false, true] {
                let mut request = Request { closed, ..Request::new(op(operation)) };
                for (filter, value) in [("path", path), ("extension", extension)] {
                    if let Some(value) = value {
                        request.set(Attribute::Filter(id(filter)), value.clone());
                    }
                }
                let (verdict, steps) = (engine.decide(&request), engine.explain(&request));
                let unknown = steps.iter().filter(|step| step.holds == Truth::Unknown);
                let before: Vec<Decider> = unknown.map(|step| step.decider).collect();
                assert_eq!(Some(verdict.decider), steps.last().map(|step| step.decider), "{request:?}");
                assert_eq!(
                    verdict.before.iter().map(|id| Decider::Rule(*id)).collect::<Vec<_>>(),
                    before,
                    "{request:?}"
                );
                deciders.insert(verdict.decider);
            }
        }
    }
    assert_eq!(deciders.iter().filter(|decider| matches!(decider, Decider::Rule(_))).count(), 6);
}

#[test]
fn arguments_are_read_by_the_kind_of_their_filter() {
    let request =
        with("file-read*", &["vnode-type=DIRECTORY", "file-mode=0644", "literal=/x", "extension=a", "extension=b"]);
    assert_eq!(request.get(&Attribute::Filter(id("file-mode"))), Some(&Value::number(0o644)));
    assert_eq!(request.get(&Attribute::Filter(PATH)), Some(&Value::string("/x")));
    let both = Value::Strings(vec![b"a".to_vec(), b"b".to_vec()]);
    assert_eq!(request.get(&Attribute::Filter(id("extension"))), Some(&both));
    let error = |text: &str| Request::new(OpId::DEFAULT).add_argument(target(), text).unwrap_err();
    assert!(matches!(error("vnode-typ=1"), RequestError::UnknownFilter { nearest, .. } if nearest[0] == "vnode-type"));
    assert!(matches!(error("vnode-type=CAT"), RequestError::Value { .. }));
    assert!(matches!(error("remote=tcp:localhost:99999"), RequestError::Value { .. }));
    assert!(matches!(error("path"), RequestError::ArgumentShape { .. }));
    assert!(matches!(
        operation_named(target(), "file-raed-data"),
        Err(RequestError::UnknownOperation { nearest, .. }) if nearest[0] == "file-read-data"
    ));
}

/// `${…}` in a path: what the request says, what the name says, else unknown; the same from the compiled profile.
#[test]
fn variables_of_patterns_are_values_of_the_request() {
    let with_variable = |text: &str| {
        let pattern = Pattern::new(crate::pattern::PatternKind::Subpath, text, true).unwrap();
        Some(test("path", Arg::Pattern(pattern)))
    };
    let engine = engine([
        (DENY, "default", None),
        (ALLOW, "file-read-data", with_variable("${HOME}/Library")),
        (ALLOW, "file-read-data", with_variable("/v/${ANY_UUID}/x")),
        (ALLOW, "file-read-data", with_variable("/e/${ENTITLEMENT:com.example}")),
    ]);
    let compiled = crate::compile::compile(engine.policy(), &crate::compile::Limits::default()).unwrap();
    let graph = Graph::new(&compiled.program, None).unwrap();
    let home = |value: &str| format!("variable=HOME={value}");
    let uuid = "/v/1A2B3C4D-0000-1111-2222-333344445555/x/y";
    let cases: &[(&str, &[&str], Answer, &[&str])] = &[
        ("/Users/me/Library/f", &[], Answer::Depends, &["variable=HOME"]),
        ("/Users/me/Library/f", &[&home("/Users/me")], Answer::Allow, &[]),
        ("/Users/me/Library/f", &[&home("/Users/ME")], Answer::Allow, &[]),
        ("/Users/me/Library/f", &[&home("/Users/you")], Answer::Deny, &[]),
        ("/Users/me/Library/f", &[&home("/Users/you"), &home("/Users/me")], Answer::Allow, &[]),
        ("/Users/me/Library/f", &[&home("")], Answer::Deny, &[]),
        // No home makes this path one below its library.
        ("/Users/me/f", &[], Answer::Deny, &[]),
        (uuid, &[], Answer::Allow, &[]),
        ("/v/1/x", &[], Answer::Deny, &[]),
        ("/e/app", &[], Answer::Depends, &["entitlement=com.example"]),
        ("/e/app", &["entitlement=com.example=app"], Answer::Allow, &[]),
        ("/e/app", &["entitlement=com.example=false"], Answer::Deny, &[]),
    ];
    for (path, arguments, answer, hangs_on) in cases {
        let request = with("file-read-data", arguments).with_path(*path);
        let verdict = engine.decide(&request);
        assert_eq!(verdict.answer, *answer, "{path} {arguments:?}");
        let names: Vec<_> = verdict.depends_on.iter().map(|each| each.name(target())).collect();
        assert_eq!(names, *hangs_on, "{path} {arguments:?}");
        let verdict = graph.decide(&request);
        assert_eq!(verdict.answer, *answer, "graph: {path} {arguments:?}");
        let names: Vec<_> = verdict.depends_on.iter().map(|each| each.name(target())).collect();
        assert_eq!(names, *hangs_on, "graph: {path} {arguments:?}");
    }
    let world = World::parse(br#"{"variables": {"HOME": "/Users/me"}}"#).unwrap();
    let asked = Request::new(op("file-read-data"));
    let answer = |path: &str| engine.decide_path(&asked, path.as_bytes(), &world, None).unwrap().answer;
    assert_eq!((answer("/Users/me/Library"), answer("/Users/you/Library")), (Answer::Allow, Answer::Deny));
    let mut request = asked.clone();
    for wrong in ["variable=ANY_UUID=x", "variable=HOME", "variable==x"] {
        assert!(request.add_argument(target(), wrong).is_err(), "{wrong}");
    }
}

/// Every filter of every system takes a value by its name, and a request in words is the same request again.
#[test]
fn every_filter_takes_a_value_by_name() {
    use crate::vocab::ArgKind;
    for name in crate::vocab::target_names() {
        let target = crate::vocab::target(name).unwrap();
        let mut request = Request::new(target.operation_named("default").unwrap());
        for filter in target.filters() {
            let value = match filter.argument {
                ArgKind::Bool => "true",
                ArgKind::Network => "tcp4:localhost:22",
                ArgKind::Bitfield | ArgKind::Integer | ArgKind::Bitmask => "1",
                _ => "/x",
            };
            let argument = format!("{}={value}", filter.name);
            let added = request.add_argument(target, &argument);
            assert!(added.is_ok(), "{name}: {argument}: {added:?}");
        }
        let mut again = Request::new(request.operation);
        for words in request.words(target) {
            again.add_argument(target, &words).unwrap();
        }
        assert_eq!(again, request, "{name}");
    }
}

/// A node is another condition for each entitlement that can be loaded at it: where a blob makes a square of that, it is refused.
#[test]
fn loads_on_too_many_ways_are_refused() {
    use crate::blob::{Argument, Generation, Program, Roots, Terminal};
    let mut program = Program::new(Generation::Macos14);
    let answer = |flags| Terminal { flags, modifiers: Vec::new() };
    let (allow, deny) = (program.add_terminal(answer(0)), program.add_terminal(answer(5)));
    let mut next = deny;
    for number in 0..600 {
        next = program.add_test(13, Argument::Integer(number), allow, next);
    }
    let mut behind = next;
    for number in 0..600 {
        let name = program.add_string(format!("e{number}").as_bytes());
        let load = program.add_test(30, Argument::String(name), next, behind);
        (next, behind) = (load, next);
    }
    program.roots = Roots::Single(vec![next; target().op_table_len()]);
    assert_eq!(Graph::new(&program, None).unwrap_err(), GraphError::Loads);
    let mut atoms = atoms::Atoms::canonical(target());
    assert_eq!(lift::Lifted::new(&program, None, &mut atoms).unwrap_err(), GraphError::Loads);
}
