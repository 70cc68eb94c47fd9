use super::*;
use crate::blob::{Blob, Options};
use crate::compile::golden;
use crate::diag::Source;
use crate::pattern::{Pattern, PatternKind};
use crate::policy::{Arg, Filter, Host, NetworkAddress, Policy, Rule, RuleSource, Test};
use crate::profile::{EvalOptions, NoImports, evaluate};
use crate::vocab::{Action, ArgKind, OpId, default_target};

fn verified(bytes: &[u8]) -> Verified {
    let program = Blob::parse(bytes, &Options::default()).unwrap().program().unwrap();
    verify(&program, 0, Some(bytes), default_target()).unwrap()
}

/// Every profile of the built-in table comes back to its bytes.
#[test]
fn the_built_in_profiles_decompile_to_the_same_bytes() {
    for fact in golden::facts() {
        let options = EvalOptions { params: Some(fact.params.clone()), ..EvalOptions::default() };
        let source = Source::new(fact.name, fact.text.as_bytes());
        let policy = evaluate(source, &NoImports, &options).unwrap().policy;
        let bytes = crate::compile::compile(&policy, &crate::compile::Limits::default()).unwrap().bytes;
        let found = verified(&bytes);
        let text = String::from_utf8_lossy(&found.draft.text).into_owned();
        assert_eq!(found.outcome, Outcome::Identical, "{}:\n{text}", fact.name);
        assert_eq!(found.draft.lost, Vec::<String>::new(), "{}", fact.name);
    }
}

/// A profile with one rule.
fn one_rule(filter: Filter, operation: OpId) -> Policy {
    let rule = Rule {
        action: Action::Allow,
        operations: vec![operation],
        filter: Some(filter),
        modifiers: Vec::new(),
        source: RuleSource::Profile,
        origin: None,
    };
    let rule = crate::policy::print::Printer::new(default_target(), 1).rule(&rule);
    let text = [b"(version 1)(deny default)".as_slice(), &rule].concat();
    evaluate(Source::new("test", text), &NoImports, &EvalOptions::default()).unwrap().policy
}

/// Every filter of the target, with every kind of argument that it takes, is compiled, written, read, said and compiled to the
/// same bytes again.
#[test]
fn every_filter_goes_there_and_back() {
    let target = default_target();
    let mut checked = 0;
    for info in target.filters() {
        let accepting = target.operations().iter().find(|row| row.in_op_table && target.accepts(row.id, info.id));
        let Some(operation) = accepting else { continue };
        let pattern = |pattern: Pattern| Arg::Pattern(pattern);
        let arguments = match info.argument {
            ArgKind::Bool if info.name == "%entitlement-boolean" => vec![Arg::Bool(true), Arg::Bool(false)],
            ArgKind::Bool => vec![Arg::None],
            ArgKind::Integer | ArgKind::Bitfield => vec![Arg::Integer(1), Arg::Integer(3)],
            ArgKind::Bitmask => vec![Arg::Integers(vec![1, 9])],
            ArgKind::String if info.name == "extension" => vec![Arg::None, Arg::String(b"a name".to_vec())],
            ArgKind::String => vec![Arg::String(b"a name".to_vec())],
            ArgKind::Network => [(None, Host::Any), (Some(80), Host::Localhost)]
                .map(|(port, host)| Arg::Network(NetworkAddress { protocol: 7, host, port }))
                .to_vec(),
            _ => vec![
                pattern(Pattern::literal("/a/b")),
                pattern(Pattern::prefix("/a/b")),
                pattern(Pattern::new(PatternKind::Regex, "^/a/[0-9]+/b$", false).unwrap()),
                // A subpath, which few filters have a name for.
                pattern(Pattern::new(PatternKind::Regex, "^/a(/|$)", false).unwrap()),
            ],
        };
        for arg in arguments {
            let test = Filter::Test(Test { filter: info.id, arg });
            // A value means something behind its load only.
            let filter = match info.requires {
                Some(load) => {
                    let load = Test { filter: load, arg: Arg::String(b"an.entitlement".to_vec()) };
                    Filter::All(vec![Filter::Test(load), test])
                }
                None => test,
            };
            let bytes = crate::compile::compile(&one_rule(filter, operation.id), &crate::compile::Limits::default());
            let bytes = bytes.unwrap().bytes;
            let found = verified(&bytes);
            let text = String::from_utf8_lossy(&found.draft.text).into_owned();
            assert_eq!(found.outcome, Outcome::Identical, "{} on {}:\n{text}", info.name, operation.name);
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked}");
}

/// A value that is asked about twice, with another load between, is not said once: each asks about what was loaded last.
#[test]
fn values_of_different_loads_are_told_apart() {
    let target = default_target();
    let filter = |name: &str| target.filter_named(name).unwrap();
    let load = |name: &str| Filter::Test(Test { filter: filter("%entitlement-load"), arg: Arg::String(name.into()) });
    let value = || Filter::Test(Test { filter: filter("%entitlement-boolean"), arg: Arg::Bool(true) });
    let first = Filter::All(vec![load("a"), value(), load("c"), value()]);
    let second = Filter::All(vec![Filter::Not(Box::new(load("a"))), load("b")]);
    let condition = Filter::Any(vec![first, second]);
    let operation = target.operation_named("mach-lookup").unwrap();
    let bytes = crate::compile::compile(&one_rule(condition, operation), &crate::compile::Limits::default()).unwrap();
    let found = verified(&bytes.bytes);
    let text = String::from_utf8_lossy(&found.draft.text).into_owned();
    assert_eq!(found.outcome, Outcome::Identical, "{text}");
}

/// `text` behind the default, compiled with `params` as the only parameters (`None`: without any).
fn compiled(text: &str, params: Option<&[&str]>) -> Vec<u8> {
    let params = params.map(|names| names.iter().map(|name| ((*name).to_owned(), "1".to_owned())).collect());
    let source = Source::new("test", format!("(version 1)\n(deny default)\n{text}\n").into_bytes());
    let policy = evaluate(source, &NoImports, &EvalOptions { params, ..EvalOptions::default() }).unwrap().policy;
    crate::compile::compile(&policy, &crate::compile::Limits::default()).unwrap().bytes
}

/// `${NAME}` that is a variable is said as one, `${NAME}` that is text is quoted in a regex; what is said compiles to the same
/// bytes with the parameters that the draft names, and it names that of variables where there are some.
#[test]
fn variables_and_text_that_looks_like_one_are_told_apart() {
    for text in [
        "(allow file-read* (subpath \"${HOME}/Library\"))",
        "(allow file-read* (literal \"/a/${HOME}\") (prefix \"${TMPDIR}\"))",
        "(allow file-read* (subpath \"${HOME}/a\") (literal \"${TMPDIR}/b\"))\n(deny file-read* (literal \"${OTHER}\"))",
        "(allow file-read* (subpath \"/a\") (literal \"/a${HOME}\") (prefix \"/b/${HOME}/${X}.\"))",
        "(allow file-read* (regex #\"^/\\$\\{A\\}/${B}$\"))",
        "(allow mach-lookup (global-name \"${HOME}\"))",
    ] {
        for params in [Some(&["ENABLE_PATTERN_VARIABLES"][..]), Some(&[]), None] {
            let bytes = compiled(text, params);
            let found = verified(&bytes);
            let again = String::from_utf8_lossy(&found.draft.text).into_owned();
            assert_eq!(found.outcome, Outcome::Identical, "{params:?} {text}\n{again}");
            assert_eq!(found.draft.lost, Vec::<String>::new());
            let variables = params != Some(&[]);
            let needed: &[&str] = if variables { &["ENABLE_PATTERN_VARIABLES"] } else { &[] };
            assert_eq!(found.draft.params, needed, "{params:?} {text}\n{again}");
        }
    }
}

/// Payloads of several modifiers and several regexes come back, in one profile as in one rule.
#[test]
fn arrays_and_several_regexes_go_there_and_back() {
    for text in [
        "(deny file-read* (literal \"/a\") (with send-signal SIGKILL) (with errno ENOENT) (with message \"why\"))",
        "(deny file-read* (literal \"/a\") (with send-signal SIGKILL) (with message \"a\"))\n\
         (deny file-write* (literal \"/b\") (with send-signal SIGTERM) (with message \"b\"))",
        "(allow file-read* (regex #\"^/a/[0-9]+/b$\" #\"^/b/[a-z]+/c$\"))",
        "(allow file-read* (regex #\"^/a/[0-9]+/b$\"))\n(deny file-read* (regex #\"^/b/[a-z]+/c$\"))\n\
         (allow mach-lookup (global-name-regex #\"^x[0-9]+y$\"))",
    ] {
        let found = verified(&compiled(text, Some(&[])));
        let again = String::from_utf8_lossy(&found.draft.text).into_owned();
        assert_eq!(found.outcome, Outcome::Identical, "{text}\n{again}");
    }
}

/// Every modifier that a rule can carry comes back, flags as flags and arguments as arguments.
#[test]
fn every_modifier_goes_there_and_back() {
    for text in [
        "(deny file-read* (literal \"/a\") (with no-report))",
        "(allow file-read* (literal \"/a\") (with report))",
        "(deny file-read* (literal \"/a\") (with send-signal SIGKILL))",
        "(deny file-read* (literal \"/a\") (with send-signal SIGKILL) (with message \"why\"))",
        "(deny file-read* (literal \"/a\") (with telemetry) (with message \"why\") (with no-report))",
        "(deny file-read* (literal \"/a\") (with telemetry-backtrace))",
        "(deny file-read* (literal \"/a\") (with errno ENOENT))",
        "(allow file-read-metadata (literal \"/a\") (with no-times))",
        "(allow process-exec* (literal \"/a\") (with no-sandbox))",
        "(allow process-exec* (literal \"/a\") (with default-sandbox \"other\"))",
        "(allow file-read* (literal \"/a\") (with enable-state-flag \"seen\"))",
        "(allow file-read* (require-all (literal \"/a\") (state-flag \"seen\")))",
    ] {
        let found = verified(&compiled(text, Some(&[])));
        let again = String::from_utf8_lossy(&found.draft.text).into_owned();
        assert_eq!(found.outcome, Outcome::Identical, "{text}\n{again}");
    }
}

/// `sysctl-write` means `sysctl*` in SBPL (`spec/sbpl-language.md`, the table of aliases), so a profile in which it has rules of its own
/// is not said completely, and the text says so; one in which it follows `sysctl*` is.
#[test]
fn rules_of_an_operation_without_name_are_not_called_said() {
    let named = |name: &str| default_target().operation_named(name).unwrap();
    let (all, write) = (named("sysctl*"), named("sysctl-write"));
    let of = |operation: OpId| {
        let mut policy = Policy::new(default_target(), 1);
        let filter = default_target().filter_named("sysctl-name").unwrap();
        policy.push(Rule {
            action: Action::Allow,
            operations: vec![operation],
            filter: Some(Filter::Test(Test { filter, arg: Arg::Pattern(Pattern::literal("kern.x")) })),
            modifiers: Vec::new(),
            source: RuleSource::Profile,
            origin: None,
        });
        verified(&crate::compile::compile(&policy, &crate::compile::Limits::default()).unwrap().bytes)
    };
    let hidden = of(write);
    let text = String::from_utf8_lossy(&hidden.draft.text).into_owned();
    let Outcome::Different { operations, .. } = &hidden.outcome else { panic!("{:?}\n{text}", hidden.outcome) };
    assert!(operations.contains(&all) && !operations.contains(&write), "{operations:?}\n{text}");
    let [lost] = &hidden.draft.lost[..] else { panic!("{:?}", hidden.draft.lost) };
    assert!(lost.starts_with("sysctl-write: this name means sysctl*"), "{lost}");
    assert!(text.contains(&format!(";; NOT SAID: {lost}\n")), "{text}");
    let plain = of(all);
    assert_eq!((plain.outcome, plain.draft.lost), (Outcome::Identical, Vec::new()));
}
