//! `docs/schemas` describes what is written, and what is read keeps keys that nobody knows.

use std::path::Path;

use sbpl::probe::artifact::{
    ArtifactIndex, BaselineResults, Event, EventsIndex, Fixtures, GoldenDecodes, MismatchPacket, MismatchSummary,
    OperationsMap, OracleResults, PathWitnesses, RunManifest, RunStatus, RuntimeIndexes, RuntimeManifest,
    RuntimeResults, ScenariosMap, Summary,
};
use sbpl::probe::matrix::Matrix;
use sbpl::probe::plan::Plan;
use sbpl::probe::registry::{Decision, ProbeRegistry, ProfileRegistry};
use sbpl::probe::{self, bundle, golden};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::run::run_in;

/// The part of JSON Schema that the files use; anything else in a schema is a mistake of the schema.
fn problems(schema: &Value, value: &Value, at: &str, out: &mut Vec<String>) {
    let Some(rules) = schema.as_object() else {
        if schema == &json!(false) {
            out.push(format!("{at}: must not be there"));
        }
        return;
    };
    let mut check = |holds: bool, what: &str| {
        if !holds {
            out.push(format!("{at}: {what}: {value}"));
        }
    };
    for (rule, wanted) in rules {
        match rule.as_str() {
            "$schema" | "title" => {}
            "type" => {
                let is = |name: &Value| match name.as_str() {
                    Some("null") => value.is_null(),
                    Some("string") => value.is_string(),
                    Some("boolean") => value.is_boolean(),
                    Some("number") => value.is_number(),
                    Some("integer") => value.is_i64() || value.is_u64(),
                    Some("array") => value.is_array(),
                    Some("object") => value.is_object(),
                    _ => panic!("{at}: type {name}"),
                };
                let fits = wanted.as_array().map_or_else(|| is(wanted), |names| names.iter().any(is));
                check(fits, &format!("is not of type {wanted}"));
            }
            "enum" => check(wanted.as_array().unwrap().contains(value), &format!("is none of {wanted}")),
            "const" => check(wanted == value, &format!("is not {wanted}")),
            "pattern" => {
                let text = value.as_str();
                check(text.is_none_or(|text| matches(wanted.as_str().unwrap(), text)), &format!("is not {wanted}"));
            }
            "required" => {
                for key in wanted.as_array().unwrap() {
                    let key = key.as_str().unwrap();
                    check(value.as_object().is_none_or(|map| map.contains_key(key)), &format!("has no {key}"));
                }
            }
            "properties" | "additionalProperties" | "items" => {}
            other => panic!("the schema uses {other}"),
        }
    }
    let properties = rules.get("properties").and_then(Value::as_object);
    for (key, value) in value.as_object().into_iter().flatten() {
        let schema = properties.and_then(|known| known.get(key)).or(rules.get("additionalProperties"));
        schema.into_iter().for_each(|schema| problems(schema, value, &format!("{at}/{key}"), out));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        let schema = rules.get("items");
        schema.into_iter().for_each(|schema| problems(schema, item, &format!("{at}/{index}"), out));
    }
}

/// The three shapes of pattern that the schemas use.
fn matches(pattern: &str, text: &str) -> bool {
    let version =
        |text: &str| text.split_once('.').is_some_and(|(a, b)| [a, b].iter().all(|n| n.parse::<u32>().is_ok()));
    if pattern == "^[0-9a-f]{64}$" {
        return text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    }
    if let Some(prefix) = pattern.strip_prefix('^') {
        return text.starts_with(prefix);
    }
    let kind = pattern.strip_suffix("[.]v[0-9]+[.][0-9]+$").unwrap_or_else(|| panic!("pattern {pattern}"));
    let kind = kind.strip_prefix("(^|[._-])").unwrap_or(kind).replace("[._-]", "_");
    let Some((name, number)) = text.rsplit_once(".v") else { return false };
    version(number) && name.replace(['.', '-'], "_").ends_with(&kind)
}

fn schema(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/schemas/{name}.schema.json"));
    serde_json::from_slice(&std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

pub(crate) fn check(name: &str, value: &Value) {
    let mut out = Vec::new();
    problems(&schema(name), value, name, &mut out);
    assert_eq!(out, [""; 0], "{name}");
    // A schema that accepts anything says nothing.
    problems(&schema(name), &json!("not this"), name, &mut out);
    assert!(!out.is_empty(), "{name} accepts a string");
}

/// Puts an unknown key into every object below `value` that is not a table by id.
fn add_unknown_keys(value: &mut Value, tables: &[&str], is_table: bool) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                add_unknown_keys(value, tables, tables.contains(&key.as_str()));
            }
            if !is_table {
                map.insert("x-unknown".to_owned(), json!({"kept": [1, null]}));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| add_unknown_keys(item, tables, false)),
        _ => {}
    }
}

/// A document read as `T` and written again is the same, an unknown key in it too.
pub(crate) fn round_trip<T: DeserializeOwned + Serialize>(value: &Value) {
    let back = |value: &Value| json!(serde_json::from_value::<T>(value.clone()).unwrap());
    assert_eq!(&back(value), value);
    if value.get("schema_version").is_some() || value.get("world_id").is_some() {
        let mut more = value.clone();
        more["x-unknown"] = json!({"kept": [1, null]});
        assert_eq!(back(&more), more);
    }
}

/// A run of the golden plan in which everything differs from what is expected, with all lanes on.
fn bundle_with_everything(out: &Path) -> std::path::PathBuf {
    let mut set = golden::plan_set().unwrap();
    for probe in set.expected.profiles.values_mut().flat_map(|profile| &mut profile.probes) {
        probe.expected = if probe.expected == Decision::Allow { Decision::Deny } else { Decision::Allow };
    }
    let mut plan = json!(set.plan);
    plan["lanes"] = json!({"oracle": true});
    set.plan = Plan::from_value(plan).unwrap();
    run_in(out, "run", &set, &golden::Embedded, true).unwrap().folder
}

#[test]
fn documents_of_a_run_fit_their_schemas_and_survive() {
    type RoundTrip = fn(&Value);
    let documents: &[(&str, &str, RoundTrip)] = &[
        ("run_status", "run_status.json", round_trip::<RunStatus>),
        ("run_manifest", "run_manifest.json", round_trip::<RunManifest>),
        ("expected_matrix", "expected_matrix.json", round_trip::<Matrix>),
        ("expected_matrix", "expected_matrix.generated.json", round_trip::<Matrix>),
        ("runtime_results", "runtime_results.json", round_trip::<RuntimeResults>),
        ("baseline_results", "baseline_results.json", round_trip::<BaselineResults>),
        ("oracle_results", "oracle_results.json", round_trip::<OracleResults>),
        ("path_witnesses", "path_witnesses.json", round_trip::<PathWitnesses>),
        ("fixtures", "fixtures.json", round_trip::<Fixtures>),
        ("mismatch_summary", "mismatch_summary.json", round_trip::<MismatchSummary>),
        ("summary", "summary.json", round_trip::<Summary>),
        ("artifact_index", "artifact_index.json", round_trip::<ArtifactIndex>),
        ("golden_decodes", "golden_decodes.json", round_trip::<GoldenDecodes>),
        ("runtime_diffs", "runtime_diffs.json", |_| ()),
        ("events_index", "runtime_mappings/events_index.json", round_trip::<EventsIndex>),
        ("scenarios", "runtime_mappings/scenarios.json", round_trip::<ScenariosMap>),
        ("ops", "runtime_mappings/ops.json", round_trip::<OperationsMap>),
        ("runtime_indexes", "runtime_mappings/runtime_indexes.json", round_trip::<RuntimeIndexes>),
        ("runtime_manifest", "runtime_mappings/runtime_manifest.json", round_trip::<RuntimeManifest>),
        // Fields that are null are left out, so reading and writing gives more keys.
        ("runtime_events", "runtime_events.normalized.json", |value| {
            drop(serde_json::from_value::<Vec<Event>>(value.clone()).unwrap());
        }),
    ];
    let out = tempfile::tempdir().unwrap();
    let folder = bundle_with_everything(out.path());
    for (schema, file, round_trip) in documents {
        let value: Value = serde_json::from_slice(&std::fs::read(folder.join(file)).unwrap()).unwrap();
        check(schema, &value);
        round_trip(&value);
    }
    let packets = std::fs::read_to_string(folder.join("mismatch_packets.jsonl")).unwrap();
    assert!(packets.lines().count() > 10);
    for line in packets.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        check("mismatch_packet", &value);
        round_trip::<MismatchPacket>(&value);
    }
    // Every file of the index that is JSON has a schema here.
    let index: ArtifactIndex = serde_json::from_slice(&std::fs::read(folder.join(bundle::INDEX)).unwrap()).unwrap();
    for entry in index.artifacts.iter().filter(|entry| entry.path.ends_with(".json")) {
        assert!(documents.iter().any(|(_, file, _)| *file == entry.path), "{} has no schema", entry.path);
    }

    let packet = json!(probe::promotion_packet(&folder).unwrap());
    check("promotion_packet", &packet);
    assert_eq!(packet["promotability"]["reasons"], json!(["not_clean_channel", "apply_preflight_missing"]));
    std::fs::write(folder.join("summary.md"), "changed").unwrap();
    let packet = probe::promotion_packet(&folder).unwrap();
    assert!(packet.promotability.reasons.contains(&"bundle_integrity_unverified".to_owned()));
    let done = bundle::reindex(&folder, false, 1.0).unwrap();
    assert!(!done.written && done.log.before.digest_mismatches == ["summary.md"]);
    assert!(bundle::verify(&folder).is_err());
    let done = bundle::reindex(&folder, true, 1.0).unwrap();
    check("repair_log", &json!(done.log));
    bundle::verify(&folder).unwrap();
}

#[test]
fn plans_and_registries_fit_their_schemas_and_survive() {
    let read = |path: &str| -> Value {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    };
    for (schema, path) in [
        ("plan", "profiles/plan.json"),
        ("probe_registry", "profiles/registry/probes.json"),
        ("profile_registry", "profiles/registry/profiles.json"),
        ("expected_matrix", "profiles/expected_matrix.json"),
        ("plan_template", "tests/cli/plan/template.json"),
    ] {
        check(schema, &read(path));
    }
    let survive = |path: &str, tables: &[&str], back: &dyn Fn(Value) -> Value| {
        let mut value = read(path);
        add_unknown_keys(&mut value, tables, false);
        assert_eq!(back(value.clone()), value, "{path}");
    };
    survive("profiles/plan.json", &["controls"], &|value| json!(Plan::from_value(value).unwrap()));
    survive("profiles/registry/probes.json", &["probes", "supports_lanes"], &|value| {
        json!(serde_json::from_value::<ProbeRegistry>(value).unwrap())
    });
    survive("profiles/registry/profiles.json", &["profiles"], &|value| {
        json!(serde_json::from_value::<ProfileRegistry>(value).unwrap())
    });
    survive("profiles/expected_matrix.json", &["profiles"], &|value| {
        json!(serde_json::from_value::<Matrix>(value).unwrap())
    });
}

#[test]
fn preflight_records_fit_their_schema() {
    for (path, text) in [
        ("a.sb", &b"(version 1)"[..]),
        ("b.sb", b"(version 1"),
        ("c.sb", b"(allow iokit-open (apply-message-filter (deny iokit-external-trap)))"),
        ("d.sb.bin", b"x"),
        ("e.txt", b""),
    ] {
        check("preflight_record", &json!(probe::preflight::scan_file(path, text)));
    }
}

/// Older documents name their experiment and another version.
#[test]
fn tags_of_older_documents() {
    use sbpl::probe::tag;
    for (found, wanted) in [
        ("hardened-runtime.runtime_results.v0.2", tag::RUNTIME_RESULTS),
        ("hardened-runtime-mismatch-packet.v0.1", tag::MISMATCH_PACKET),
        ("runtime-tools.plan_template.v0.1", tag::PLAN_TEMPLATE),
    ] {
        assert!(tag::same_kind(found, wanted), "{found}");
    }
    assert!(!tag::same_kind(tag::PLAN, tag::PLAN_TEMPLATE));
    assert!(!tag::same_kind(tag::PATH_WITNESS, tag::PATH_WITNESSES));
}

/// The recorded outputs of `sbpl shim --report --json` and `--learn … --json` (`tests/cli/shim`).
#[test]
fn documents_of_shims_fit_their_schemas() {
    check("shim_report", &recorded("contract.shim.report-json.stdout"));
    check("shim_learn", &recorded("learn.sb.exec-json.stdout"));
    check("shim_learn", &recorded("learn.sb.log-json.stdout"));
}

fn recorded(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/shim").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
