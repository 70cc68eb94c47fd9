use super::preflight::{Classification, Finding, scan_text};
use super::registry::Decision;
use super::*;

fn findings(text: &str) -> Vec<(Option<String>, Option<String>, String)> {
    let record = scan_text("sbpl_text", "t", text.as_bytes());
    let findings = record.findings.into_iter().map(|finding| match finding {
        Finding::MessageFilter { outer_action, outer_operation, denied_operation } => {
            (outer_action, outer_operation, denied_operation)
        }
        Finding::Digest { .. } => panic!("a digest for a text"),
    });
    findings.collect()
}

/// spec/probe-runner.md section 4.1: which forms count, and which rule is the one around them.
#[test]
fn preflight_text_rule() {
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        findings("(deny mach* (with x) (require-all (apply-message-filter (deny a b) (allow c) (deny d))))"),
        [(some("deny"), some("mach*"), "a".to_owned()), (some("deny"), some("mach*"), "d".to_owned())]
    );
    // A rule whose second item is no atom is not the one around it.
    assert_eq!(
        findings("(allow x (deny (with y) (apply-message-filter (deny z))))"),
        [(some("allow"), some("x"), "z".to_owned())]
    );
    assert_eq!(findings("(apply-message-filter (deny z))"), [(None, None, "z".to_owned())]);
    for clean in [
        "(allow x (apply-message-filter (with (deny z))))",
        "(allow x (apply-message-filter (when y (deny z))))",
        "(allow x (apply-message-filter (deny)))",
        "(allow x (apply-message-filter (deny (with report))))",
        "; (apply-message-filter (deny z))",
    ] {
        assert_eq!(findings(clean), [], "{clean}");
    }
    assert_eq!(scan_text("sbpl_text", "t", b"(").classification, Classification::Invalid);
}

/// The digest rule knows the whole digest and the first 32 bits of others; anything else is not gated.
#[test]
fn preflight_digest_rule() {
    let record = preflight::scan_file("x.sb.bin", b"any");
    assert_eq!(record.classification, Classification::NoKnownApplyGateSignature);
    assert_eq!(record.findings, [Finding::Digest { blob_sha256: sha256_hex(b"any"), matched: false }]);
}

/// A matrix without expectation ids joins by profile and name.
#[test]
fn expectation_ids_fall_back() {
    let probe = |name: &str| matrix::MatrixProbe {
        name: name.to_owned(),
        operation: "file-read*".to_owned(),
        target: "/x".to_owned(),
        expected: Decision::Deny,
        expectation_id: None,
        details: Default::default(),
        extra: Default::default(),
    };
    assert_eq!(probe("read").id("p"), "p:read");
    assert_eq!(probe("").id("p"), "p:file-read*");
}

/// A matrix beside the plan may expect otherwise; it neither adds profiles nor hides probes.
#[test]
fn given_matrices_are_completed() {
    let generated = golden::plan_set().unwrap().generated;
    let mut given = generated.clone();
    given.profiles.shift_remove("runtime:strict_1");
    given.profiles.insert("other:profile".to_owned(), given.profiles["bucket4:v1_read"].clone());
    let bucket4 = &mut given.profiles["bucket4:v1_read"];
    bucket4.probes.truncate(1);
    bucket4.probes[0].expected = Decision::Deny;
    let completed = given.completed_by(&generated);
    assert!(completed.profiles.keys().eq(generated.profiles.keys()));
    let mut expected = generated.clone();
    expected.profiles["bucket4:v1_read"].probes[0].expected = Decision::Deny;
    assert_eq!(completed, expected);
}

/// What a plan may not be, each with its code.
#[test]
fn plans_that_are_refused() {
    let code = |text: &str| plan::Plan::parse(text.as_bytes()).unwrap_err().code().0;
    let tag = tag::PLAN;
    for (text, expected) in [
        ("[".to_owned(), "E0601"),
        ("[]".to_owned(), "E0601"),
        ("{}".to_owned(), "E0602"),
        (format!(r#"{{"schema_version": "{tag}", "plan_id": "x", "schema_versions": null}}"#), "E0603"),
        (format!(r#"{{"schema_version": "{tag}"}}"#), "E0601"),
        (format!(r#"{{"schema_version": "{tag}", "plan_id": "x", "lanes": {{"baseline": 1}}}}"#), "E0601"),
        (format!(r#"{{"schema_version": "{tag}", "plan_id": "x", "profiles": "x"}}"#), "E0601"),
        ("[".repeat(100_000), "E0601"),
    ] {
        assert_eq!(code(&text), expected, "{}", &text[..text.len().min(80)]);
    }
}

/// Names of files are made of ids that others choose.
#[test]
fn hostile_ids_stay_in_the_bundle() {
    assert_eq!(
        names::runtime_stem("book/v11_read_subpath.sb", "bucket5:v11_read_subpath"),
        "v11_read_subpath.bucket5_v11_read_subpath.runtime"
    );
    assert_eq!(names::runtime_stem("../..", "/etc/../x\n"), "..._etc_.._x_.runtime");
}
