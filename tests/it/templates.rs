//! The built-in templates and plans derived from profiles and blobs: they pass lint and do what they expect.

use std::collections::BTreeMap;
use std::sync::Arc;

use sbpl::blob::{self, Blob};
use sbpl::diag::Source;
use sbpl::probe::artifact::RuntimeResults;
use sbpl::probe::template::{named, templates};
use sbpl::probe::{self, Derived, Files, PlanSet, ReadFailure, build_value};
use sbpl::profile::{EvalOptions, NoImports, evaluate};
use sbpl::sandbox::{ProfileInput, Rules, Stage};
use sbpl::{compile, shim};

use crate::run::{read, run_in};

/// The files of a built plan, in memory.
struct Built(BTreeMap<String, Vec<u8>>);

impl Files for Built {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadFailure> {
        let found = self.0.get(path).cloned();
        found.ok_or_else(|| ReadFailure { missing: true, reason: "No such file or directory".to_owned() })
    }
}

fn built(template: &serde_json::Value) -> (PlanSet, Built) {
    let texts = build_value(template, true).unwrap();
    let files = Built(texts.into_iter().map(|(name, text)| (name, text.into_bytes())).collect());
    (PlanSet::load(&files.read("plan.json").unwrap(), &files).unwrap(), files)
}

/// Every template passes lint and does what it expects; left out are profiles that only a Mac has and what is acquired before
/// the profile is in force, which the decision engine does not know.
#[test]
fn built_in_templates_do_what_they_expect() {
    assert!(templates().len() >= 12);
    let mut wrong = Vec::new();
    for template in templates() {
        let (set, files) = built(&template.to_json());
        let findings = probe::lint(&set, &files);
        if template.needs_a_mac() {
            assert!(findings.iter().all(|finding| finding.text.starts_with("profile_path missing: ")), "{findings:?}");
            continue;
        }
        assert_eq!(findings, [""; 0], "{}", template.id);
        let out = tempfile::tempdir().unwrap();
        let report = run_in(out.path(), "run", &set, &files, true).unwrap();
        let rows = report.rows.iter();
        let rows = rows.filter(|row| !(row.matches || (row.actual == "unknown" && row.probe.ends_with("_before"))));
        wrong.extend(rows.map(|row| format!("{} {} {} {}", row.profile, row.probe, row.expected, row.actual)));
    }
    assert_eq!(wrong, [""; 0]);
}

/// An operation under a retired name is told by the compile stage and refuses nothing.
#[test]
fn vocabulary_drift_is_no_refusal() {
    let (set, files) = built(&named("vocabulary-drift").unwrap().to_json());
    let out = tempfile::tempdir().unwrap();
    let report = run_in(out.path(), "run", &set, &files, true).unwrap();
    let results: RuntimeResults = read(report.folder.join("runtime_results.json"));
    let told = |id: &str| results[id].stages[&Stage::Compile].facts.get("obsolete_operations").cloned();
    assert_eq!(told("vocabulary-drift:control"), None);
    let text = "sandbox operation \"iokit-open\" is obsolete; replace with \"iokit-open-user-client\"";
    assert_eq!(told("vocabulary-drift:iokit_open"), Some(serde_json::json!([text])));
    assert!(report.is_as_expected());
}

/// Templates are found by name, and a plan that is built twice is the same.
#[test]
fn templates_by_name() {
    assert!(named("none").is_none());
    let template = named("hardened-runtime").unwrap();
    assert_eq!(build_value(&template.to_json(), true).unwrap(), build_value(&template.to_json(), true).unwrap());
}

const PROFILE: &str = "(version 1)\n(deny default)\n(allow file-read* (subpath \"/private/tmp/in\") (literal \"/tmp\"))\n\
(deny file-read-data (regex #\"^/private/tmp/in/.*[.]key$\"))\n\
(allow file-write* (require-all (subpath \"/Users/me\") (require-not (literal \"/Users/me/.profile\"))))\n\
(allow mach-lookup (global-name \"com.example.service\"))\n\
(allow network-outbound (remote tcp \"localhost:8080\") (remote tcp6 \"*:*\"))\n";

fn input(text: &[u8]) -> ProfileInput {
    let policy = evaluate(Source::new("p.sb", text), &NoImports, &EvalOptions::default()).unwrap().policy;
    ProfileInput { bytes: text.into(), rules: Rules::Policy(Arc::new(policy)) }
}

/// Runs a derived plan; gives what each probe was expected to do.
fn expectations(derived: &Derived, path: &str, bytes: &[u8]) -> BTreeMap<String, String> {
    let (set, mut files) = built(&derived.template);
    files.0.insert(path.to_owned(), bytes.to_vec());
    assert_eq!(probe::lint(&set, &files), [""; 0]);
    let out = tempfile::tempdir().unwrap();
    let report = run_in(out.path(), "run", &set, &files, true).unwrap();
    assert!(report.is_as_expected(), "{:?}", report.mismatches.mismatches);
    assert_eq!(report.rows.len(), derived.probes);
    report.rows.into_iter().map(|row| (row.probe, row.expected.to_owned())).collect()
}

/// A plan from a profile names what the rules name, beside it a neighbour, and runs as it says.
#[test]
fn plans_from_profiles() {
    let own = input(PROFILE.as_bytes());
    let shimmed = shim::apply(shim::built_in("runtime-base").unwrap(), PROFILE.as_bytes(), None).unwrap().text;
    let derived = probe::derive("p", "sb/p.sb", &own, Some(&input(&shimmed))).unwrap();
    let expected = expectations(&derived, "sb/p.sb", PROFILE.as_bytes());
    for (probe, decision) in [
        ("file-read* /private/tmp/in/sbpl-probe", "allow"),
        ("file-read* /private/tmp/in-other", "deny"),
        ("file-write* /Users/me/sbpl-probe", "allow"),
        ("file-write* /Users/me/.profile", "deny"),
        ("mach-lookup com.example.service", "allow"),
        ("mach-lookup com.example.service-other", "deny"),
        ("sysctl-read sbpl.probe.unnamed", "deny"),
        ("network-outbound 127.0.0.1:8080", "allow"),
        ("network-outbound 127.0.0.1:8081", "deny"),
        ("network-outbound 192.0.2.1:8080", "deny"),
        ("network-outbound [::1]:49150", "allow"),
    ] {
        assert_eq!(expected.get(probe).map(String::as_str), Some(decision), "{probe}: {expected:?}");
    }
    let key = expected.iter().find(|(probe, _)| probe.starts_with("file-read-data") && probe.ends_with(".key"));
    assert_eq!(key.unwrap().1, "deny");
    assert!(derived.shimmed > 0, "the base shim lets /tmp be asked about");
}

/// A plan that compares a profile with a shipped blob runs the text, what it compiles to, and the blob; the three decide alike, and
/// `golden_decodes.json` shows that the two blobs are one.
#[test]
fn plans_compare_a_profile_with_a_shipped_blob() {
    let Rules::Policy(policy) = input(PROFILE.as_bytes()).rules else { panic!() };
    let blob = compile::compile(&policy, &compile::Limits::default()).unwrap().bytes;
    let shimmed = shim::apply(shim::built_in("runtime-base").unwrap(), PROFILE.as_bytes(), None).unwrap().text;
    let mut derived = probe::derive("p", "sb/p.sb", &input(PROFILE.as_bytes()), Some(&input(&shimmed))).unwrap();
    derived.compare_with("p", "sb/p.shipped.sb.bin");
    let (set, mut files) = built(&derived.template);
    files.0.insert("sb/p.sb".to_owned(), PROFILE.as_bytes().to_vec());
    files.0.insert("sb/p.shipped.sb.bin".to_owned(), blob);
    assert_eq!(probe::lint(&set, &files), [""; 0]);
    let out = tempfile::tempdir().unwrap();
    let report = run_in(out.path(), "run", &set, &files, true).unwrap();
    assert!(report.is_as_expected(), "{:?}", report.mismatches.mismatches);
    assert_eq!(report.rows.len(), 3 * derived.probes);
    let decodes: serde_json::Value = read(report.folder.join("golden_decodes.json"));
    let digest = |id: &str| decodes["decodes"][id]["sha256"].as_str().unwrap().to_owned();
    assert_eq!(digest("p_recompiled"), digest("p_shipped"));
}

/// A plan from a blob needs no text: targets come from its nodes, expectations from its graph.
#[test]
fn plans_from_blobs() {
    let Rules::Policy(policy) = input(PROFILE.as_bytes()).rules else { panic!() };
    let bytes = compile::compile(&policy, &compile::Limits::default()).unwrap().bytes;
    let program = Blob::parse(&bytes, &blob::Options::default()).unwrap().program().unwrap();
    let own = ProfileInput { bytes: bytes.as_slice().into(), rules: Rules::Blob(Arc::new(program)) };
    let derived = probe::derive("p", "sb/p.sb.bin", &own, None).unwrap();
    let expected = expectations(&derived, "sb/p.sb.bin", &bytes);
    for (probe, decision) in [
        ("file-read* /private/tmp/in/sbpl-probe", "allow"),
        ("file-read* /private/tmp/in-other", "deny"),
        ("mach-lookup com.example.service", "allow"),
        ("sysctl-read sbpl.probe.unnamed", "deny"),
    ] {
        assert_eq!(expected.get(probe).map(String::as_str), Some(decision), "{probe}: {expected:?}");
    }
}
