use super::*;
use expect_test::{Expect, expect};

fn shim(text: &str) -> Shim {
    let mut shims = parse(text.as_bytes()).unwrap_or_else(|errors| panic!("{errors:?}"));
    shims.remove(0)
}

fn applied(shim: &Shim, text: &str, key: Option<&str>) -> String {
    let applied = apply(shim, text.as_bytes(), key).unwrap();
    let again = apply(shim, applied.text.clone(), key).unwrap();
    assert_eq!(again.text, applied.text, "applying twice changes the text");
    String::from_utf8(applied.text).unwrap()
}

fn check(steps: &str, profile: &str, expected: Expect) {
    expected.assert_eq(&applied(&shim(&format!("(shim s {steps})")), profile, None));
}

fn unchanged(steps: &str, profile: &str) {
    assert_eq!(applied(&shim(&format!("(shim s {steps})")), profile, None), profile);
}

const BASE: &str = "\
(allow process-exec*)
(allow file-read* (subpath \"/System\"))
(allow file-read* (subpath \"/usr\"))
(allow file-read* (subpath \"/bin\"))
(allow file-read* (subpath \"/sbin\"))
(allow file-read* (subpath \"/dev\"))
(allow file-read-metadata (literal \"/private\"))
(allow file-read-metadata (literal \"/private/tmp\"))
(allow file-read-metadata (literal \"/tmp\"))
";

fn base(text: &str) -> String {
    applied(built_in("runtime-base").unwrap(), text, None)
}

/// Every file of `shims/` is readable, and none is forgotten.
#[test]
fn all_files_are_built_in() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("shims");
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read(entry.unwrap().path()).unwrap();
        for shim in parse(&text).unwrap() {
            assert!(built_in(&shim.name).is_some(), "{}", shim.name);
            assert!(!shim.doc.is_empty(), "{}", shim.name);
        }
    }
    assert_eq!(built_ins().len(), 8);
}

/// spec/probe-runner.md section 3.1: base without white space at its end, a line end, the nine lines in their order, a line end.
#[test]
fn text_form_of_the_base_shim() {
    let v1 = "(version 1)\n(deny default)\n(allow file-read*)";
    for end in ["", "\n", " \t\n\n\n"] {
        assert_eq!(base(&format!("{v1}{end}")), format!("{v1}\n{BASE}"));
    }
    assert_eq!(base(&format!("{v1} ; strict")), format!("{v1} ; strict\n{BASE}"));
    assert_eq!(base(""), format!("\n{BASE}"));
}

#[test]
fn what_is_effective_already_is_not_appended() {
    let all = format!("(version 1)\n{BASE}");
    assert_eq!(base(&all), all);
    // Harmless later rules: other operations, the same action, paths that cannot be the same.
    for later in [
        "(deny file-write* (literal \"/x\"))",
        "(allow file-read* (subpath \"/private/tmp/foo\"))",
        "(deny file-read* (literal \"/private/tmp/bar\"))",
        "(deny default)",
    ] {
        let text = format!("{all}{later}\n");
        assert_eq!(base(&text), text, "{later}");
    }
}

/// An identical earlier rule that a later form may override does not count.
#[test]
fn what_is_overridden_is_appended_again() {
    for later in [
        "(deny process-exec*)",
        "(deny process-exec (literal \"/bin/sh\"))",
        "(deny file-read* (subpath \"/usr/local\"))",
        "(deny file-read* (literal \"/USR\"))",
        "(deny file-read* (regex #\"x\"))",
        "(deny file-read-data (subpath \"/System/x\"))",
        "(allow file-read* (subpath \"/usr\") (with no-log))",
        "(import \"other.sb\")",
        "(when (param \"X\") (deny process-exec*))",
    ] {
        let text = format!("(version 1)\n{BASE}{later}\n");
        assert_eq!(base(&text), format!("{text}{BASE}"), "{later}");
    }
    // One of nine is not all nine.
    assert_eq!(base("(version 1)\n(allow process-exec*)\n"), format!("(version 1)\n(allow process-exec*)\n{BASE}"));
    // Present, but in an order that means something else.
    check(
        "(append (deny file-read* (subpath \"/a\")) (allow file-read* (literal \"/a/b\")))",
        "(allow file-read* (literal \"/a/b\"))\n(deny file-read* (subpath \"/a\"))\n",
        expect![[r#"
            (allow file-read* (literal "/a/b"))
            (deny file-read* (subpath "/a"))
            (deny file-read* (subpath "/a"))
            (allow file-read* (literal "/a/b"))
        "#]],
    );
}

#[test]
fn rules_of_one_profile() {
    let narrow = built_in("bucket5-narrow").unwrap();
    assert_eq!(narrow.profiles(), ["bucket5:v11_read_subpath"]);
    assert_eq!(applied(narrow, "(version 1)\n", None), "(version 1)\n");
    assert_eq!(applied(narrow, "(version 1)\n", Some("bucket4:v1_read")), "(version 1)\n");
    expect![[r#"
        (version 1)
        (allow file-read* (subpath "/private/tmp/foo"))
    "#]]
    .assert_eq(&applied(narrow, "(version 1)\n", Some("bucket5:v11_read_subpath")));
}

/// A list of shims applied a second time changes nothing either.
#[test]
fn base_and_relaxes_together_are_stable() {
    let text = "(version 1)\n(deny default)\n(allow file-read* (subpath \"/tmp/foo\"))\n";
    for (relax, key) in [
        ("bucket5-narrow", "bucket5:v11_read_subpath"),
        ("bucket5-allow-default", "bucket5:v11_read_subpath"),
        ("metafilter-any", "runtime:metafilter_any"),
    ] {
        let both = |text: &str| applied(built_in(relax).unwrap(), &base(text), Some(key));
        let once = both(text);
        assert!(once.starts_with(&format!("{text}{BASE}(")), "{once}");
        assert_eq!(both(&once), once);
    }
}

#[test]
fn siblings_of_linked_paths() {
    let alias = built_in("tmp-alias").unwrap();
    expect![[r##"
        (version 1) ; kept
        (allow file-read* (subpath "/tmp/foo" "/private/tmp/foo")   ; and this
          (literal "/etc/hosts" "/private/etc/hosts"))
        (deny file-write* (require-all (literal #"/var/x" #"/private/var/x") (require-not (vnode-type SYMLINK))))
        (allow file-read* (regex #"^/tmp/[a-z]+$" #"^/private/tmp/[a-z]+$" #"^/tmpfoo" #"/tmp/"))
        (allow file-read-metadata (literal "/tmp" "/private/tmp"))
        (allow file-read* (literal "/tmp/a" "/private/tmp/a") (literal "/tmp/b") (literal "/private/tmp/b"))
        (allow file-read* (literal "/variable" "/a/tmp/b" "/private/tmp/c"))
        (allow mach-lookup (global-name "/tmp/x"))
    "##]]
    .assert_eq(&applied(
        alias,
        r##"(version 1) ; kept
(allow file-read* (subpath "/tmp/foo")   ; and this
  (literal "/etc/hosts"))
(deny file-write* (require-all (literal #"/var/x") (require-not (vnode-type SYMLINK))))
(allow file-read* (regex #"^/tmp/[a-z]+$" #"^/tmpfoo" #"/tmp/"))
(allow file-read-metadata (literal "/tmp"))
(allow file-read* (literal "/tmp/a") (literal "/tmp/b") (literal "/private/tmp/b"))
(allow file-read* (literal "/variable" "/a/tmp/b" "/private/tmp/c"))
(allow mach-lookup (global-name "/tmp/x"))
"##,
        None,
    ));
}

#[test]
fn linked_paths_are_moved() {
    expect![[r#"
        (allow file-read* (subpath "/private/tmp") (literal "/private/etc/hosts"))
        (allow file-read-metadata (literal "/tmp"))
    "#]]
    .assert_eq(&applied(
        built_in("tmp-rewrite").unwrap(),
        "(allow file-read* (subpath \"/tmp\") (literal \"/etc/hosts\"))\n(allow file-read-metadata (literal \"/tmp\"))\n",
        None,
    ));
}

#[test]
fn rules_are_dropped_with_their_line() {
    let profile = "(version 1)\n(deny default)\n  (allow mach-lookup)  \n(allow file-read*) ; why\n(allow signal)\n";
    check(
        "(drop (allow mach-lookup ...))",
        profile,
        expect![[r#"
            (version 1)
            (deny default)
            (allow file-read*) ; why
            (allow signal)
        "#]],
    );
    check(
        "(drop (_ file-read*) (allow signal))",
        profile,
        expect!["(version 1)\n(deny default)\n  (allow mach-lookup)  \n ; why\n"],
    );
    // Dropping at the end and appending there do not get in each other's way.
    check(
        "(drop (allow signal)) (append (deny signal))",
        "(version 1)\n(allow signal)\n",
        expect!["(version 1)\n(deny signal)\n"],
    );
    unchanged("(drop (allow file-read* (literal \"/a\")))", profile);
    unchanged("(drop (allow file-read-data ...))", profile);
}

#[test]
fn a_part_of_a_rule_is_dropped() {
    check("(drop (allow file-write* ...))", "(allow file-read* file-write*)", expect!["(allow file-read*)"]);
    check(
        "(drop (allow file-read* (literal \"/b\")))",
        "(allow file-read*\n  (literal \"/a\") ; a\n  (literal \"/b\")\n  (literal \"/c\"))",
        expect![[r#"
            (allow file-read*
              (literal "/a") ; a
              (literal "/c"))"#]],
    );
    check(
        "(drop (allow file-read* (literal #\"/b\")))",
        "(allow file-read* file-write* (literal \"/a\") (literal \"/b\") (with report))",
        expect![[r#"
            (allow file-write* (literal "/a") (literal "/b") (with report))
            (allow file-read* (literal "/a") (with report))"#]],
    );
    check("(drop (_ signal))", "(when (param \"X\")\n  (allow signal))", expect!["(when (param \"X\")\n  #f)"]);
    unchanged("(drop (_ signal))", "'(allow signal) (allow iokit-open (apply-message-filter (deny signal)))");
}

#[test]
fn rules_are_replaced() {
    check(
        "(replace (deny default) (allow default) (deny network*))",
        "(version 1)\n(deny default) ; strict\n",
        expect![[r#"
            (version 1)
            (allow default)
            (deny network*) ; strict
        "#]],
    );
    check(
        "(replace (allow mach-lookup ...) (deny signal) (deny process-fork))",
        "(if (x) (allow mach-lookup) (allow mach-lookup signal))",
        expect![
            "(if (x) (begin (deny signal) (deny process-fork)) (begin (allow signal) (deny signal) (deny process-fork)))"
        ],
    );
    unchanged("(replace (deny default) (deny default))", "(deny default)");
}

/// Rules that the shim appends are not what it drops.
#[test]
fn own_rules_stay() {
    let steps = "(drop (_ file-read* ...)) (append (allow file-read* (literal \"/a\")))";
    check(
        steps,
        "(allow file-read*)\n(allow file-read* (literal \"/a\"))\n(deny file-read* (literal \"/a\"))\n",
        expect![[r#"
            (allow file-read* (literal "/a"))
            (allow file-read* (literal "/a"))
        "#]],
    );
}

#[test]
fn guarded_steps() {
    let steps = "(unless-rule (_ mach-lookup ...) (append (deny mach-lookup)))";
    check(steps, "(version 1)", expect!["(version 1)\n(deny mach-lookup)\n"]);
    unchanged(steps, "(version 1) (allow mach-lookup (global-name \"x\"))");
}

/// What would go on changing its own result is refused.
#[test]
fn unstable_shims_are_refused() {
    for steps in [
        "(replace (deny default) (deny default) (allow signal))",
        "(add-sibling (\"/a\" \"/b\") (\"/b\" \"/c\"))",
        "(replace (allow signal) (deny signal) (allow signal (target self))) (replace (deny signal) (allow signal))",
    ] {
        let shim = shim(&format!("(shim s {steps})"));
        let text = "(version 1)\n(deny default)\n(allow signal)\n(allow file-read* (literal \"/a\"))\n";
        match apply(&shim, text.as_bytes(), None) {
            Err(ApplyError::Shim(error)) => assert_eq!(error.kind, ShimErrorKind::Unstable("s".to_owned())),
            other => panic!("{steps}: {other:?}"),
        }
    }
}

#[test]
fn profiles_with_syntax_errors_are_refused() {
    let result = apply(built_in("process-exec").unwrap(), &b"(version 1"[..], None);
    assert!(matches!(result, Err(ApplyError::Profile(errors)) if errors.len() == 1));
}

#[test]
fn contracts_are_kept() {
    let shim = shim(
        "(shim s (widens (process-exec*) (file-read* (literal \"/a\"))) (narrows nothing) (append (allow signal)))",
    );
    assert_eq!(shim.narrows, Some(Bound::Nothing));
    let Some(Bound::Only(scopes)) = shim.widens else { panic!("{:?}", shim.widens) };
    assert_eq!(scopes[0].operations, ["process-exec*"]);
    assert_eq!(scopes[1].filters, [b"(literal \"/a\")"]);
}

/// Every code of the room has a text that shows it.
#[test]
fn errors_of_shim_files() {
    let nested =
        format!("(shim s {}(append (allow signal)){})", "(unless-rule (allow signal) ".repeat(20), ")".repeat(20));
    let cases = [
        ("", "E0501 0..0"),
        ("(append (allow signal))", "E0501 0..23"),
        ("(shim s (append))", "E0501 8..16"),
        ("(shim s (append (allow)))", "E0501 16..23"),
        ("(shim s (append (allow no-such-operation)))", "E0501 16..41"),
        ("(shim s (drop (allow signal x)))", "E0501 14..30"),
        ("(shim s (for-profile (append (allow signal))))", "E0501 8..45"),
        ("(shim s (jump))", "E0502 8..14"),
        ("(shim S (append (allow signal)))", "E0503 6..7"),
        ("(shim)", "E0503 0..6"),
        ("(shim s (append (allow signal))) (shim s (append (allow signal)))", "E0503 33..65"),
        ("(shim s (add-sibling (\"/a\" \"/a/b\")))", "E0504 21..34"),
        ("(shim s (rewrite-prefix (\"a\" \"/b\")))", "E0504 24..34"),
        ("(shim s (doc \"x\"))", "E0505 0..18"),
        ("(shim s (widens nothing) (widens nothing) (append (allow signal)))", "E0507 25..41"),
        (nested.as_str(), "E0508 456..595"),
        ("(shim s", "E0101 7..7"),
    ];
    for (text, expected) in cases {
        let errors = parse(text.as_bytes()).unwrap_err();
        let shown = |error: &ShimError| {
            let diagnostic = error.to_diagnostic(crate::diag::SourceId(0));
            format!("{} {}..{}", diagnostic.code, error.span.start, error.span.end)
        };
        assert_eq!(errors.iter().map(shown).collect::<Vec<_>>(), [expected], "{text}");
    }
    // Those that show only on a profile have tests of their own.
    let on_a_profile = ["E0506", "E0509", "E0510", "E0511"];
    for (code, _) in CODES {
        assert!(
            on_a_profile.contains(&code.0) || cases.iter().any(|(_, shown)| shown.starts_with(code.0)),
            "{code} is not shown"
        );
    }
}
