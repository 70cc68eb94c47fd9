//! `sbpl report`: the page of the example, bundles that are refused, and texts that would like to be markup.

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use sbpl::probe::artifact::Host;
use sbpl::probe::{self, Clock, Files, Identity, PlanSet, ProbeError, ReadFailure, RunOptions, Silent};
use sbpl::profile::{EvalOptions, NoImports};
use sbpl::report::{Bundle, page};
use sbpl::sandbox::Simulated;
use serde_json::{Value, json};

/// Always the same moment.
struct Noon;

impl Clock for Noon {
    fn unix_seconds(&self) -> f64 {
        1_767_268_800.0
    }
}

/// The files of `docs/example`.
struct Example;

fn example_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/example")
}

impl Files for Example {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadFailure> {
        fs::read(example_folder().join(path)).map_err(|error| ReadFailure { missing: true, reason: error.to_string() })
    }
}

/// Runs the example's plan; gives the bundle's folder.
fn example(out: &Path) -> PathBuf {
    let set = PlanSet::load(&Example.read("plan.json").unwrap(), &Example).unwrap();
    assert_eq!(probe::lint(&set, &Example), [""; 0]);
    let options = RunOptions {
        backend: &Simulated::macos_14(),
        evaluation: &EvalOptions::default(),
        files: &Example,
        loader: &NoImports,
        out,
        identity: &Identity { run_id: "00000000-0000-4000-8000-000000000000".to_owned(), pid: 1, host: None },
        clock: &Noon,
        shims: true,
        dry: false,
        jobs: NonZeroUsize::MIN,
        progress: &Silent,
        cancel: &sbpl::sandbox::Cancel::never(),
    };
    probe::run(&set, &options).unwrap().folder
}

fn example_bundle() -> Bundle {
    let out = tempfile::tempdir().unwrap();
    Bundle::load(&example(out.path())).unwrap()
}

/// The page that the README links to is the page of the example; `BLESS=1` writes it. Two runs of the same give the same bytes.
#[test]
fn the_example_is_the_page_of_its_plan() {
    let [made, again] = [(); 2].map(|()| page(&example_bundle()));
    assert_eq!(made, again);
    let path = example_folder().join("report.html");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(made == kept, "docs/example/report.html is of another version: BLESS=1 cargo test --test it report");
}

/// Issue: a bundle that does not verify is refused with the artifact's name.
#[test]
fn a_changed_bundle_is_refused_by_name() {
    for name in ["runtime_results.json", "runtime_profiles/agent.agent.runtime.sb"] {
        let out = tempfile::tempdir().unwrap();
        let folder = example(out.path());
        let mut text = fs::read(folder.join(name)).unwrap();
        text.push(b'\n');
        fs::write(folder.join(name), text).unwrap();
        let error = Bundle::load(&folder).unwrap_err();
        assert!(matches!(&error, ProbeError::RefusedBundle { .. }) && error.to_string().contains(name), "{error}");
    }
}

/// Every link leads to an anchor of the page, every anchor is one of a kind, and nothing is fetched from anywhere.
#[test]
fn the_page_stands_alone() {
    let html = page(&example_bundle());
    let values = |attribute: &str| {
        let start = format!(" {attribute}=\"");
        html.split(start.as_str()).skip(1).map(|rest| rest.split('"').next().unwrap()).collect::<Vec<_>>()
    };
    let ids = values("id");
    let known: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(known.len(), ids.len(), "an id stands twice");
    for link in values("href") {
        assert!(link.strip_prefix('#').is_some_and(|id| known.contains(id)), "{link} leads nowhere");
    }
    for attribute in ["src", "srcset", "style", "onclick", "action"] {
        assert!(values(attribute).is_empty(), "{attribute}");
    }
    assert!(!html.contains("://"));
}

/// Names of the elements of a page, by a reading of tags that knows nothing of the writer.
fn tags(html: &str) -> BTreeSet<String> {
    let start = html.find("<style>").unwrap();
    let end = html.find("</style>").unwrap();
    let script = html.rfind("<script>").unwrap();
    let texts = [&html[..start], &html[end..script]];
    let tags = texts.iter().flat_map(|text| text.split('<').skip(1));
    tags.map(|tag| tag.split(|c: char| !c.is_ascii_alphanumeric() && c != '/' && c != '!').next().unwrap().to_owned())
        .collect()
}

/// Puts `text` wherever a bundle says something.
fn hostile(mut bundle: Bundle, text: &str) -> Bundle {
    let word = || text.to_owned();
    bundle.manifest.head.run_id = word();
    bundle.manifest.head.plan_id = word();
    bundle.manifest.head.channel = word();
    bundle.manifest.backend = Some(word());
    bundle.manifest.host =
        Some(Host { os: word(), version: Some(word()), build: Some(word()), arch: word(), ..Host::default() });
    bundle.summary.status = word();
    bundle.status.error = Some(word());
    for row in bundle.baseline.iter_mut().flat_map(|lane| &mut lane.results) {
        row.error = Some(word());
    }
    for mismatch in &mut bundle.mismatches.mismatches {
        mismatch.profile_id = word();
        mismatch.mismatch_type = word();
        mismatch.path = Some(word());
        mismatch.notes = Some(word());
    }
    bundle.results = bundle.results.into_iter().map(|(id, result)| (format!("{id}{text}"), result)).collect();
    for result in bundle.results.values_mut() {
        result.notes = Some(word());
        result.base_profile_path = Some(word());
        result.stages.values_mut().for_each(|report| report.message = Some(word()));
        for probe in &mut result.probes {
            probe.name = Some(word());
            probe.operation = word();
            probe.path = Some(word());
            if let Some(by) = &mut probe.decided_by {
                by.rule = Some(word());
                by.argument = word();
                by.operation = word();
                by.file = Some(word());
            }
        }
    }
    let diffs = bundle.diffs.as_mut().unwrap();
    diffs.profiles = diffs.profiles.drain(..).map(|(id, diff)| (format!("{id}{text}"), diff)).collect();
    for diff in diffs.profiles.values_mut() {
        diff.shims.push(word());
        diff.text.push_str(text);
    }
    bundle.profiles.values_mut().for_each(|profile| profile.extend(text.as_bytes()));
    with_lanes(bundle, text)
}

/// As if an oracle and a log had spoken about the first probe.
fn with_lanes(mut bundle: Bundle, text: &str) -> Bundle {
    let id = bundle.results.values().next().unwrap().probes[0].expectation_id.clone();
    let head = json!({"schema_version": "x", "world_id": text, "run_id": text});
    let document = |more: Value| {
        let mut document = head.clone();
        document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        document
    };
    let oracle = document(json!({
        "calibration": [{"number": 1, "calibrated": true}, {"number": 2, "calibrated": false}],
        "results": [{
            "world_id": text, "run_id": text, "expectation_id": id, "operation": text, "filter_type": 2,
            "filter_type_name": text, "argument": text, "decision": text, "stage": text, "calibrated": false,
        }],
    }));
    let entry = json!({"verdict": text, "operation": text, "argument": text});
    let observer = document(json!({
        "status": text, "reason": text, "command": [], "notices": [], "unmatched": 3,
        "results": [{"expectation_id": id, "pid": 1, "witness": true, "entries": [entry]}],
    }));
    bundle.oracle = serde_json::from_value(oracle).unwrap();
    bundle.observer = serde_json::from_value(observer).unwrap();
    bundle
}

/// The lanes stand beside the results and say how far they are to be believed.
#[test]
fn the_other_lanes_are_shown() {
    let bundle = example_bundle();
    let section = |html: String| {
        let start = html.find("<section id=\"lanes\"").unwrap();
        html[start..].split("</section>").next().unwrap().to_owned()
    };
    let plain = section(page(&bundle));
    assert!(plain.contains("probes permitted without a profile") && plain.contains("No lane says more"), "{plain}");
    let html = section(page(&with_lanes(bundle, "said")));
    assert!(html.contains("1 answers, 1 of 2 kinds of argument calibrated"), "{html}");
    assert!(html.contains("said, not calibrated") && html.contains("1 entries of probes, 3 of others"), "{html}");
    assert_eq!(html.matches("class=\"row\"").count(), 1);
}

fn check_hostile(text: &str) {
    let bundle = example_bundle();
    let (mut known, html) = (tags(&page(&bundle)), page(&hostile(bundle, text)));
    // A diff may say that a line was removed; those of the example only add.
    known.extend(["del", "/del"].map(str::to_owned));
    assert!(tags(&html).is_subset(&known), "{:?}", tags(&html).difference(&known).collect::<Vec<_>>());
    assert_eq!(html.matches("<script").count(), 1);
    assert_eq!(html.matches("<style").count(), 1);
}

#[test]
fn a_bundle_cannot_write_markup() {
    for text in [
        "</td><script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "</pre></style></script><!-- ]]>",
        "javascript:alert(1)",
        "&lt;script&gt;&#60;",
        "\u{202e}\0\u{feff}\r\n<",
    ] {
        check_hostile(text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn no_bundle_can_write_markup(text in "[<>/!\"'&=a-z \n-]{0,24}") {
        check_hostile(&text);
    }
}
