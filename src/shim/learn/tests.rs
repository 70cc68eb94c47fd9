//! What is learned is allowed, nothing else is, and what cannot be learned says why.

use proptest::prelude::*;

use super::*;
use crate::decide::Attribute;
use crate::diag::Source;
use crate::profile::{NoImports, evaluate};
use crate::vocab::default_target;

const STRICT: &str = "(version 1)\n(deny default)\n(deny file-read-data (regex #\"[.]ssh\"))\n";

fn policy(text: &[u8]) -> Result<Policy, String> {
    let evaluation = evaluate(Source::new("p.sb", text), &NoImports, &EvalOptions::default());
    evaluation.map(|evaluation| evaluation.policy).map_err(|failure| failure.to_string())
}

fn request(operation: &str, argument: &str) -> Request {
    let argument = Some(argument.to_owned()).filter(|argument| !argument.is_empty());
    Denial { operation: operation.to_owned(), argument, local: false }.request(default_target()).unwrap()
}

fn learned(profile: &str, requests: &[Request], step: Step) -> Learned {
    let before = policy(profile.as_bytes()).unwrap();
    learn("s", profile.as_bytes(), &before, requests, step, &EvalOptions::default(), policy).unwrap()
}

fn rules(learned: &Learned) -> Vec<&str> {
    learned.rules.iter().map(|rule| rule.rule.as_str()).collect()
}

fn is_proved(learned: &Learned) -> bool {
    learned.unproved.is_empty() && learned.unlearnable.is_empty() && learned.kept.is_proved()
}

#[test]
fn requests_share_rules_and_nothing_else_is_opened() {
    let requests = [
        request("file-read-data", "/a/.ssh/x"),
        request("file-write-create", "/a/.ssh/x"),
        request("file-read-data", "/a/y"),
        request("file-read-data", "/a/z"),
        request("mach-lookup", "com.example.agent"),
        request("network-outbound", "remote:*:443"),
        request("network-outbound", "/private/var/run/syslog"),
        request("system-fsctl", "(_IO \"h\" 47)"),
        request("signal", ""),
        request("process-exec*", "/bin/sh"),
        request("file-issue-extension", "target:/a b extension-class:com.example.read"),
        request("sysctl-read", "kern.bootargs"),
    ];
    let learned = learned(STRICT, &requests, Step::File);
    assert!(is_proved(&learned), "{learned:?}");
    assert_eq!(
        rules(&learned),
        [
            r#"(allow file-read-data file-write-create (literal "/a/.ssh/x"))"#,
            r#"(allow file-read-data (literal "/a/y") (literal "/a/z"))"#,
            r#"(allow mach-lookup (global-name "com.example.agent"))"#,
            r#"(allow network-outbound (remote ip "*:443") (literal "/private/var/run/syslog"))"#,
            r#"(allow system-fsctl (fsctl-command HFSIOC_SET_HOTFILE_STATE))"#,
            "(allow signal)",
            r#"(allow process-exec* (literal "/bin/sh"))"#,
            r#"(allow file-issue-extension (require-all (literal "/a b") (extension-class "com.example.read")))"#,
            r#"(allow sysctl-read (sysctl-name "kern.bootargs"))"#,
        ]
    );
    assert_eq!(learned.rules[1].requests, [2, 3]);
}

#[test]
fn steps_are_taken_only_when_asked_for() {
    let requests = ["/w/a.o", "/w/b.o", "/w/sub/c.o", "/top"].map(|path| request("file-write-create", path));
    let file = learned(STRICT, &requests, Step::File);
    let wider: Vec<_> =
        file.rules[0].wider.iter().map(|wider| (wider.step, wider.covers, wider.rule.as_str())).collect();
    assert_eq!(
        wider,
        [
            (Step::Directory, 2, r##"(allow file-write-create (regex #"^/w/[^/]+$"))"##),
            (Step::Subpath, 2, r#"(allow file-write-create (subpath "/w"))"#),
            (Step::Directory, 1, r##"(allow file-write-create (regex #"^/w/sub/[^/]+$"))"##),
            (Step::Subpath, 1, r#"(allow file-write-create (subpath "/w/sub"))"#),
        ]
    );
    // Each names what it would open besides.
    assert!(file.rules[0].wider.iter().all(|wider| wider.opens.is_some()));
    let directory = learned(STRICT, &requests, Step::Directory);
    assert!(is_proved(&directory));
    assert_eq!(
        rules(&directory),
        [r##"(allow file-write-create (literal "/w/sub/c.o") (literal "/top") (regex #"^/w/[^/]+$"))"##]
    );
    let subpath = learned(STRICT, &requests, Step::Subpath);
    assert!(is_proved(&subpath) && rules(&subpath)[0].contains(r#"(subpath "/w")"#));
}

#[test]
fn what_is_allowed_already_needs_no_rule() {
    let requests = [request("file-read-data", "/usr/lib/x")];
    let learned = learned("(version 1)(deny default)(allow file-read* (subpath \"/usr\"))", &requests, Step::File);
    assert_eq!((learned.shim, learned.allowed_before), (None, vec![0]));
}

/// A filtered refusal stays in front of the fallback that a request without values gets: that is said, not hidden.
#[test]
fn a_request_that_stays_open_is_not_proved() {
    let profile = "(version 1)(deny default)(deny mach-lookup (global-name \"com.example.a\"))";
    let learned = learned(profile, &[request("mach-lookup", "")], Step::File);
    assert_eq!(learned.unproved, [0]);
}

#[test]
fn refusals_that_no_rule_is_about() {
    let target = default_target();
    let denial = |operation: &str, argument: &str, local| Denial {
        operation: operation.to_owned(),
        argument: Some(argument.to_owned()),
        local,
    };
    assert_eq!(denial("forbidden-sandbox-reinit", "", false).request(target), Err(Unlearnable::Reinit));
    assert!(matches!(denial("no-such-thing", "/x", false).request(target), Err(Unlearnable::Request(_))));
    for (operation, argument) in [
        ("file-read-data", "<private>"),
        ("network-outbound", "nonsense"),
        ("network-outbound", "remote::443"),
        ("syscall-unix", "read"),
        ("system-fsctl", "(_IO \"hh\" 47)"),
        ("signal", "/x"),
        ("process-fork", "x"),
    ] {
        let found = denial(operation, argument, false).request(target);
        assert!(matches!(found, Err(Unlearnable::Argument(..))), "{operation} {argument}: {found:?}");
    }
    let local = denial("mach-register", "com.example.port", true).request(target).unwrap();
    let name = Attribute::Filter(target.filter_named("local-name").unwrap());
    assert!(local.get(&name).is_some());
    let entitled = Request::new(target.operation_named("signal").unwrap())
        .with(Attribute::Entitlement(b"x".to_vec()), crate::decide::Value::Flag(true));
    assert_eq!(learned(STRICT, &[entitled], Step::File).unlearnable.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever stands in a path: it is let through, and the contract holds.
    #[test]
    fn any_path_is_learned(names in prop::collection::vec("[ -~]{1,8}", 1..4), step in 0..3usize) {
        let paths = names.iter().map(|name| format!("/d/{}", name.replace('/', "_")));
        let requests: Vec<Request> = paths.filter(|path| !path.ends_with("/.") && !path.ends_with("/.."))
            .map(|path| request("file-write-data", &path)).collect();
        let step = [Step::File, Step::Directory, Step::Subpath][step];
        let learned = learned("(version 1)\n(deny default)\n", &requests, step);
        prop_assert!(requests.is_empty() || is_proved(&learned), "{:?}", learned);
    }

    #[test]
    fn any_denial_is_read(operation in "[a-z*-]{0,20}", argument in ".{0,30}", local in any::<bool>()) {
        let denial = Denial { operation, argument: Some(argument), local };
        let _ = denial.request(default_target());
    }
}
