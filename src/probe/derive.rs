//! From a profile or a blob to a plan: a probe for what its rules name, a neighbour that they do not name, and what the decision
//! engine says of each.
//!
//! The plan runs as it is made: a probe whose answer the base shim changes is left out, and counted.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::lint::{is_fixture, writes};
use super::{WORLD_ID, tag};
use crate::blob::{Argument, NodeId, Program, ProgramNode, Roots};
use crate::decide::Graph;
use crate::pattern::automaton::{Domain, Space};
use crate::pattern::{Pattern, PatternKind, Variables};
use crate::policy::{Arg, Filter, Host, NetworkAddress, Policy, Rule, RuleSource, Test};
use crate::sandbox::{Action, ApplyFailure, Backend, Outcome, ProfileInput, Rules, Simulated};
use crate::vocab::{FilterId, Target};

/// A derived plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Derived {
    /// The plan and its registries, as a template.
    pub template: Value,
    /// Probes in it.
    pub probes: usize,
    /// Probes left out: the base shim changes the answer.
    pub shimmed: usize,
    /// Probes left out: the engine does not decide them for a plain process.
    pub undecided: usize,
}

/// Probes of a derived plan at most.
const LIMIT: usize = 10_000;
/// The bit of [`NetworkAddress::protocol`].
const IPV4: u8 = 1;
/// Automaton states for the shortest text that a regex matches.
const STATES: usize = 4_096;

/// Operations that a probe program can try, with the filters that name what they are tried on.
const TRIED: &[(&str, &[&str])] = &[
    ("file-read*", &["path"]),
    ("file-read-data", &["path"]),
    ("file-read-metadata", &["path"]),
    ("file-read-xattr", &["path"]),
    ("file-test-existence", &["path"]),
    ("file-write*", &["path"]),
    ("file-write-data", &["path"]),
    ("file-write-create", &["path"]),
    ("file-write-xattr", &["path"]),
    ("process-exec*", &["path"]),
    ("mach-lookup", &["global-name"]),
    ("sysctl-read", &["sysctl-name"]),
    ("darwin-notification-post", &["notification-name"]),
    ("distributed-notification-post", &["notification-name"]),
    ("iokit-open-service", &["iokit-registry-entry-class"]),
    ("iokit-open-user-client", &["iokit-user-client-class", "iokit-registry-entry-class"]),
    ("user-preference-read", &["preference-domain"]),
    ("network-outbound", &["remote"]),
];

/// Derives the plan `id` for the profile at `path`, as the plan names it. `shimmed` is the profile as a run puts it in force;
/// `None` when that is the profile itself, as it is for blobs.
///
/// # Errors
/// The decision engine cannot judge by it.
pub fn derive(
    id: &str,
    path: &str,
    own: &ProfileInput,
    shimmed: Option<&ProfileInput>,
) -> Result<Derived, ApplyFailure> {
    let backend = Simulated::macos_14();
    let mut as_run = backend.apply(shimmed.unwrap_or(own))?;
    let mut as_is = backend.apply(own)?;
    let is_blob = matches!(own.rules, Rules::Blob(_));
    let mut probes = Map::new();
    let (mut changed, mut undecided) = (0, 0);
    let mut roots = BTreeSet::new();
    for (operation, filter, target) in targets(&own.rules) {
        if probes.len() >= LIMIT {
            break;
        }
        let action = Action {
            operation: operation.to_owned(),
            target: target.clone(),
            filter: (filter != "path").then(|| filter.to_owned()),
            ..Action::default()
        };
        let expected = match (as_is.try_action(&action).outcome, as_run.try_action(&action).outcome) {
            (Outcome::Undecided, _) | (_, Outcome::Undecided) => {
                undecided += 1;
                continue;
            }
            (own, shimmed) if own != shimmed => {
                changed += 1;
                continue;
            }
            (Outcome::Allow, _) => "allow",
            (Outcome::Deny, _) => "deny",
        };
        if expected == "allow" && writes(operation) && !is_fixture(&target, []) {
            // The plan says itself where it writes: whoever runs it on a Mac reads it there.
            roots.insert(target.rsplit_once('/').map_or("/", |(folder, _)| folder).to_owned());
        }
        let probe_id = format!("{id}:{operation}:{target}");
        probes.insert(probe_id.clone(), probe(&probe_id, &action, filter, expected));
    }
    let count = probes.len();
    let profile = json!({
        "profile_id": id,
        "profile_path": path,
        "mode": if is_blob { "blob" } else { "sbpl" },
        "family": null,
        "semantic_group": null,
        "probe_refs": probes.keys().collect::<Vec<_>>(),
        "key_specific_rules": [],
        "notes": null,
    });
    let mut plan = json!({
        "plan_id": id,
        "profiles": [id],
        "lanes": { "baseline": true, "scenario": true, "oracle": false },
        "controls": { "baseline": true },
        "notes": "Derived: the expectations are what the decision engine says.",
    });
    if let (false, Some(map)) = (roots.is_empty(), plan.as_object_mut()) {
        map.insert("fixture_roots".to_owned(), json!(roots));
    }
    let template = json!({
        "schema_version": tag::PLAN_TEMPLATE,
        "template_id": id,
        "registry_id": id,
        "world_id": WORLD_ID,
        "description": format!("What {path} names, and what the decision engine says of it."),
        "plan": plan,
        "probes": probes,
        "profiles": { id: profile },
    });
    Ok(Derived { template, probes: count, shimmed: changed, undecided })
}

impl Derived {
    /// Adds two forms of the profile `id`: the blob that its text compiles to, and the compiled profile at `shipped`. The same probes are
    /// expected to be answered as of the text, so a run tells whether the three decide alike (`spec/probe-runner.md` section 6), and
    /// `golden_decodes.json` holds header, digest, sections and op table of both blobs.
    pub fn compare_with(&mut self, id: &str, shipped: &str) {
        let Some(text) = self.template["profiles"].get(id).cloned() else { return };
        for (form, path) in [("recompiled", None), ("shipped", Some(shipped))] {
            let name = format!("{id}_{form}");
            let mut profile = text.clone();
            profile["profile_id"] = json!(name);
            profile["mode"] = json!("blob");
            if let Some(path) = path {
                profile["profile_path"] = json!(path);
            }
            if let Some(profiles) = self.template["plan"]["profiles"].as_array_mut() {
                profiles.push(json!(name));
            }
            self.template["profiles"][name] = profile;
        }
    }
}

fn probe(id: &str, action: &Action, filter: &str, expected: &str) -> Value {
    let mut probe = json!({
        "probe_id": id,
        "name": format!("{} {}", action.operation, action.target),
        "operation": action.operation,
        "target": action.target,
        "expected": expected,
        "expectation_id": id,
        "supports_lanes": { "baseline": true, "scenario": true, "oracle": false },
        "expected_primary_ops": [action.operation],
        "expected_predicates": [filter],
        "capabilities_required": [],
        "controls_supported": ["baseline"],
    });
    let driver = match action.operation.as_str() {
        "mach-lookup" => Some("sandbox_mach_probe"),
        "iokit-open-service" | "iokit-open-user-client" => Some("sandbox_iokit_probe"),
        "file-read-metadata" => Some("metadata_runner"),
        _ => None,
    };
    if let Some(map) = probe.as_object_mut() {
        map.extend(driver.map(|driver| ("driver".to_owned(), json!(driver))));
        map.extend(action.filter.as_ref().map(|filter| ("filter_name".to_owned(), json!(filter))));
    }
    probe
}

/// Operation, filter and target of every probe, without repetition, in the order of [`TRIED`].
fn targets(rules: &Rules) -> Vec<(&'static str, &'static str, String)> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for (operation, filters) in TRIED {
        let (concerned, tests, target) = match rules {
            Rules::Policy(policy) => (is_ruled(policy, operation), tests_of_policy(policy, operation), policy.target()),
            Rules::Blob(program) => match Graph::new(program, None) {
                Ok(graph) => (true, tests_of_blob(program, graph.target(), operation), graph.target()),
                Err(_) => continue,
            },
        };
        if !concerned {
            continue;
        }
        for filter in *filters {
            let named = tests.iter().flat_map(|test| examples(target, test, filter));
            for text in named.chain([unnamed(filter)]) {
                if seen.insert((*operation, *filter, text.clone())) {
                    all.push((*operation, *filter, text));
                }
            }
        }
    }
    all
}

/// Whether a rule on the operation called `name` says something about probes of `operation`: the same, or a family that has no
/// probe of its own and is tried through its members.
fn concerns(name: &str, operation: &str) -> bool {
    let is_tried = TRIED.iter().any(|(tried, _)| *tried == name);
    let family = name.strip_suffix('*').filter(|_| !is_tried);
    name == operation || name == "default" || family.is_some_and(|family| operation.starts_with(family))
}

fn rules_on<'p>(policy: &'p Policy, operation: &str) -> impl Iterator<Item = &'p Rule> {
    let own = policy.rules().iter().filter(|rule| rule.source == RuleSource::Profile);
    own.filter(move |rule| rule.operations.iter().any(|id| concerns(policy.target().operation(*id).name, operation)))
}

fn is_ruled(policy: &Policy, operation: &str) -> bool {
    rules_on(policy, operation).next().is_some()
}

fn tests_of_policy(policy: &Policy, operation: &str) -> Vec<Test> {
    let mut tests = Vec::new();
    for rule in rules_on(policy, operation) {
        collect(rule.filter.as_ref(), &mut tests);
    }
    tests
}

/// The tests that can be met on the way from the root of what a probe of `operation` asks.
fn tests_of_blob(program: &Program, target: &Target, operation: &str) -> Vec<Test> {
    let asked = match operation {
        "file-read*" => "file-read-data",
        "file-write*" => "file-write-data",
        other => other,
    };
    let Roots::Single(roots) = &program.roots else { return Vec::new() };
    let root = target.operation_named(asked).and_then(|id| roots.get(usize::from(id.0)));
    let mut open: Vec<NodeId> = root.into_iter().copied().collect();
    let mut seen = BTreeSet::new();
    let mut tests = Vec::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let Some(ProgramNode::Test { filter, argument, matched, unmatched }) = program.node(id) else { continue };
        open.extend([*unmatched, *matched]);
        let filter = FilterId(*filter);
        let patterns: Vec<Pattern> = match argument {
            Argument::Pattern(id) => {
                let tree = program.patterns.get(id.index());
                tree.and_then(|tree| tree.to_patterns(&program.variables.names).ok()).unwrap_or_default()
            }
            Argument::Regex(id) => {
                program.regexes.get(id.index()).cloned().map(Pattern::from_regex).into_iter().collect()
            }
            Argument::String(id) => {
                let text = program.strings.get(id.index()).cloned();
                tests.extend(text.map(|text| Test { filter, arg: Arg::String(text) }));
                continue;
            }
            _ => continue,
        };
        tests.extend(patterns.into_iter().map(|pattern| Test { filter, arg: Arg::Pattern(pattern) }));
    }
    tests
}

/// Every test of a filter. The depth of filters is bounded by the policy.
fn collect(filter: Option<&Filter>, into: &mut Vec<Test>) {
    match filter {
        None => {}
        Some(Filter::Test(test)) => into.push(test.clone()),
        Some(Filter::All(parts) | Filter::Any(parts)) => parts.iter().for_each(|part| collect(Some(part), into)),
        Some(Filter::Not(part)) => collect(Some(part), into),
    }
}

/// Something that no rule names.
fn unnamed(filter: &str) -> String {
    let text = match filter {
        "path" => "/private/tmp/sbpl-probe",
        "remote" => "127.0.0.1:49151",
        _ => "sbpl.probe.unnamed",
    };
    text.to_owned()
}

/// TCP addresses that a network address holds for, and neighbours: another port, and for `localhost` another host (one of those that
/// RFC 5737 keeps for documentation).
fn addresses(address: &NetworkAddress) -> Vec<String> {
    let port = address.port.unwrap_or(49_150);
    let loopback = if address.protocol & IPV4 != 0 { "127.0.0.1" } else { "[::1]" };
    let mut found = vec![format!("{loopback}:{port}")];
    found.extend(address.port.map(|port| format!("{loopback}:{}", port.checked_add(1).unwrap_or(1))));
    found.extend((address.host == Host::Localhost).then(|| format!("192.0.2.1:{port}")));
    found
}

/// What a test names when it is one of `filter`: something that it holds for, and a neighbour that it does not hold for.
fn examples(target: &Target, test: &Test, filter: &str) -> Vec<String> {
    let is_this = target.filter_named(filter).is_some_and(|known| known == test.filter);
    let (Arg::Pattern(pattern), true) = (&test.arg, is_this) else {
        return match (&test.arg, is_this) {
            (Arg::String(text), true) => with_neighbour(text.clone(), "-other"),
            (Arg::Network(address), true) => addresses(address),
            _ => Vec::new(),
        };
    };
    let is_path = filter == "path";
    let found = match pattern.kind() {
        PatternKind::Literal if !pattern.has_variables() => with_neighbour(pattern.text().to_vec(), "-other"),
        PatternKind::Subpath if !pattern.has_variables() => {
            let text = pattern.text();
            let inside = if text == b"/" { b"/sbpl-probe".to_vec() } else { [text, b"/sbpl-probe"].concat() };
            with_neighbour(text.to_vec(), "-other").into_iter().chain(String::from_utf8(inside).ok()).collect()
        }
        PatternKind::Prefix if !pattern.has_variables() => {
            String::from_utf8([pattern.text(), b"sbpl-probe"].concat()).ok().into_iter().collect()
        }
        _ => shortest(pattern, is_path).into_iter().collect(),
    };
    found.into_iter().filter(|text| text.starts_with('/') == is_path && !text.contains(['\0', '\n'])).collect()
}

fn with_neighbour(text: Vec<u8>, ending: &str) -> Vec<String> {
    let Ok(text) = String::from_utf8(text) else { return Vec::new() };
    match text.as_str() {
        "" | "/" => vec![text],
        _ => vec![format!("{text}{ending}"), text],
    }
}

/// The shortest text that a pattern matches; none when that is not known within the budget.
fn shortest(pattern: &Pattern, is_path: bool) -> Option<String> {
    let domain = if is_path { Domain::Paths } else { Domain::Names };
    let mut space = Space::new(std::slice::from_ref(pattern), &Variables::default(), domain, STATES);
    String::from_utf8(space.example(0).ok()??).ok()
}
