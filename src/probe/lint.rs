//! What is wrong with a plan before it is run. The texts are compared by other tools (`spec/probe-runner.md` section 1.2); those
//! that section does not have are ours and say so where they are made.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::error::Finding;
use super::place::Step::{self, Index, Key};
use super::registry::{Decision, Probe, ProfileEntry};
use super::set::{Files, PlanSet};
use super::tag;
use super::texts::Document;

/// Every finding; empty for a plan that can be run. First those about the form of the documents, then those of the
/// specification in the order of the plan.
pub fn lint(set: &PlanSet, files: &dyn Files) -> Vec<Finding> {
    let mut lint = Lint { set, files, findings: Vec::new() };
    lint.form();
    lint.plan();
    lint.findings
}

const DENY_DEFAULT: &str = "(deny default";
const IN_PROCESS: &str = "sandbox_mach_probe";

/// Keys that are nobody's business but the writer's.
const OWN_PREFIX: &str = "x-";

/// Folders of systems whose profiles a plan may name by absolute path.
const SYSTEM_FOLDERS: [&str; 2] = ["/System/Library/Sandbox/Profiles/", "/usr/share/sandbox/"];

/// Where fixtures are (`spec/probe-runner.md` section 2.1), links resolved.
const FIXTURE_ROOTS: [&str; 2] = ["/private/tmp", "/private/var/tmp"];

/// Written to without an effect.
const SINK: &str = "/dev/null";

struct Lint<'a> {
    set: &'a PlanSet,
    files: &'a dyn Files,
    findings: Vec<Finding>,
}

impl Lint<'_> {
    fn add(&mut self, text: String, document: Document, steps: &[Step<'_>]) {
        let location = self.set.texts.value(document, steps);
        self.findings.push(Finding::new(text).at(location));
    }

    fn unknown_keys(&mut self, what: &str, keys: &Map<String, Value>, document: Document, steps: &[Step<'_>]) {
        for key in keys.keys().filter(|key| !key.starts_with(OWN_PREFIX)) {
            let location = self.set.texts.key(document, steps, key);
            self.findings.push(Finding::new(format!("unknown {what} key: {key}")).at(location));
        }
    }

    /// Keys that nobody knows or that stand twice, tags, ids that disagree. The texts are ours.
    fn form(&mut self) {
        let set = self.set;
        let registry = &set.plan.registry_id;
        self.unknown_keys("plan", &set.plan.extra, Document::Plan, &[]);
        self.unknown_keys("lane", &set.plan.lanes().extra, Document::Plan, &[Key("lanes")]);
        self.unknown_keys("profile registry", &set.profiles.extra, Document::Profiles, &[]);
        self.unknown_keys("probe registry", &set.probes.extra, Document::Probes, &[]);
        for (document, what, found, wanted) in [
            (Document::Profiles, "profile", &set.profiles.schema_version, tag::PROFILE_REGISTRY),
            (Document::Probes, "probe", &set.probes.schema_version, tag::PROBE_REGISTRY),
        ] {
            if !tag::same_kind(found, wanted) {
                self.add(format!("{what} registry schema mismatch: {found}"), document, &[Key("schema_version")]);
            }
        }
        for (document, what, found) in [
            (Document::Profiles, "profile", &set.profiles.registry_id),
            (Document::Probes, "probe", &set.probes.registry_id),
        ] {
            if found != registry {
                self.add(format!("{what} registry is of another id: {found}"), document, &[Key("registry_id")]);
            }
        }
        for (document, table, what) in
            [(Document::Profiles, "profiles", "profile"), (Document::Probes, "probes", "probe")]
        {
            for (key, location) in set.texts.duplicate_keys(document, &[Key(table)]) {
                self.findings.push(Finding::new(format!("duplicate {what}: {registry}:{key}")).at(Some(location)));
            }
        }
        for (id, entry) in &set.profiles.profiles {
            let steps = [Key("profiles"), Key(id)];
            self.unknown_keys(&format!("profile {registry}:{id}"), &entry.extra, Document::Profiles, &steps);
            if entry.profile_id != *id {
                let steps = [Key("profiles"), Key(id), Key("profile_id")];
                self.add(
                    format!("profile_id mismatch: {registry}:{id}: {}", entry.profile_id),
                    Document::Profiles,
                    &steps,
                );
            }
        }
        for (id, probe) in &set.probes.probes {
            let steps = [Key("probes"), Key(id)];
            self.unknown_keys(&format!("probe {registry}:{id}"), &probe.extra, Document::Probes, &steps);
            if probe.probe_id != *id {
                let steps = [Key("probes"), Key(id), Key("probe_id")];
                self.add(format!("probe_id mismatch: {registry}:{id}: {}", probe.probe_id), Document::Probes, &steps);
            }
        }
    }

    fn plan(&mut self) {
        let set = self.set;
        let plan = &set.plan;
        let registry = &plan.registry_id;
        if registry.is_empty() {
            self.add("missing registry_id".to_owned(), Document::Plan, &[]);
        }
        for (at, fixture) in plan.fixtures.iter().enumerate() {
            let here = [Key("fixtures"), Index(at)];
            self.unknown_keys("fixture", &fixture.extra, Document::Plan, &here);
            let path = &fixture.path;
            if without_links(path).as_ref() != Some(path) || !is_fixture(path, []) {
                let text = format!("fixture outside the temporary folders: {registry} -> {path}");
                self.add(text, Document::Plan, &[here[0], here[1], Key("path")]);
            } else if fixture.wanted().is_none() {
                self.add(format!("fixture that cannot be made: {registry} -> {path}"), Document::Plan, &here);
            }
        }
        if plan.profiles.is_empty() {
            self.add("profiles list is empty".to_owned(), Document::Plan, &[]);
        }
        let mut seen = BTreeSet::new();
        for (at, id) in plan.profiles.iter().enumerate() {
            if registry.is_empty() {
                break;
            }
            let here = [Key("profiles"), Index(at)];
            if !seen.insert(id) {
                self.add(format!("duplicate profile: {registry}:{id}"), Document::Plan, &here);
                continue;
            }
            match set.profiles.profiles.get(id) {
                Some(profile) => self.profile(id, profile),
                None => self.add(format!("unknown profile: {registry}:{id}"), Document::Plan, &here),
            }
        }
        if let Some(path) = &plan.apply_preflight_profile {
            let here = [Key("apply_preflight_profile")];
            if leaves_the_folder(path) {
                self.add(format!("apply_preflight_profile leaves the plan's folder: {path}"), Document::Plan, &here);
            } else if self.files.read(path).is_err() {
                self.add(format!("apply_preflight_profile missing: {path}"), Document::Plan, &here);
            }
        }
    }

    fn profile(&mut self, id: &str, profile: &ProfileEntry) {
        let registry = &self.set.plan.registry_id;
        let path = &profile.profile_path;
        let here = [Key("profiles"), Key(id), Key("profile_path")];
        let mut text = None;
        if path.is_empty() {
            self.add(format!("profile missing profile_path: {registry}:{id}"), Document::Profiles, &here);
        } else if leaves_the_folder(path) {
            let text = format!("profile_path leaves the plan's folder: {registry}:{id} -> {path}");
            self.add(text, Document::Profiles, &here);
        } else {
            text = self.files.read(path).ok();
            if text.is_none() {
                self.add(format!("profile_path missing: {registry}:{id} -> {path}"), Document::Profiles, &here);
            }
        }
        if profile.probe_refs.is_empty() {
            let here = [Key("profiles"), Key(id), Key("probe_refs")];
            self.add(format!("profile has no probe_refs: {registry}:{id}"), Document::Profiles, &here);
        }
        let strict = profile.key_specific_rules.iter().any(|rule| rule.trim_start().starts_with(DENY_DEFAULT))
            || text.is_some_and(|text| memchr::memmem::find(&text, b"(deny default)").is_some());
        for (at, reference) in profile.probe_refs.iter().enumerate() {
            match self.set.probes.probes.get(reference) {
                Some(probe) => self.probe(&format!("{registry}:{id}:{reference}"), reference, probe, strict),
                None => {
                    let here = [Key("profiles"), Key(id), Key("probe_refs"), Index(at)];
                    self.add(format!("unknown probe_ref: {registry}:{id}:{reference}"), Document::Profiles, &here);
                }
            }
        }
    }

    fn probe(&mut self, name: &str, id: &str, probe: &Probe, strict: bool) {
        let in_process = probe.details.driver.as_deref() == Some(IN_PROCESS);
        if strict && probe.operation == "mach-lookup" && !in_process {
            let text = format!("deny-default mach-lookup requires in-process driver ({IN_PROCESS}): {name}");
            self.add(text, Document::Probes, &[Key("probes"), Key(id), Key("operation")]);
        }
        let own = self.set.plan.fixture_roots.iter().map(String::as_str);
        // One that is expected to be refused is how a profile is tested; should the profile fail, the UNIX permissions are left.
        if probe.expected == Decision::Allow && writes(&probe.operation) && !is_fixture(&probe.target, own) {
            let text = format!("probe writes outside its fixtures: {name} -> {}", probe.target);
            self.add(text, Document::Probes, &[Key("probes"), Key(id), Key("target")]);
        }
    }
}

/// Whether `target` is below a folder of temporary files, or one of `own`.
pub(super) fn is_fixture<'r>(target: &str, own: impl IntoIterator<Item = &'r str>) -> bool {
    let Some(path) = without_links(target) else { return false };
    let own = own.into_iter().filter_map(without_links);
    let mut roots = FIXTURE_ROOTS.iter().map(|root| (*root).to_owned()).chain(own);
    path == SINK
        || roots.any(|root| path.strip_prefix(root.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/')))
}

/// Whether a probe of `operation` changes files when it is let through.
pub(super) fn writes(operation: &str) -> bool {
    operation.starts_with("file-write") || matches!(operation, "file*" | "file-link" | "file-clone" | "file-mknod")
}

/// True for a path that is not below the plan's folder, as far as its text says; profiles of the system are let through.
pub(super) fn leaves_the_folder(path: &str) -> bool {
    let mut depth = 0_usize;
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        match (part, depth.checked_sub(1)) {
            ("..", Some(less)) => depth = less,
            ("..", None) => return true,
            _ => depth += 1,
        }
    }
    let of_the_system = SYSTEM_FOLDERS.iter().any(|folder| path.starts_with(folder));
    path.starts_with('/') && (!of_the_system || path.contains("/../"))
}

/// An absolute path without `.`, `..` and the links that every macOS has; `None` for one that is relative.
fn without_links(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.strip_prefix('/')?.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
        if matches!(parts[..], ["tmp" | "var" | "etc"]) {
            parts.insert(0, "private");
        }
        if matches!(parts[..], ["System", "Volumes", "Data"]) {
            parts.clear();
        }
    }
    Some(format!("/{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The links of every macOS are followed before `..` is.
    #[test]
    fn targets_of_writes() {
        for (path, expected) in [
            ("/tmp/x", Some("/private/tmp/x")),
            ("/tmp/../etc/hosts", Some("/private/etc/hosts")),
            ("/System/Volumes/Data/private/tmp//./a", Some("/private/tmp/a")),
            ("/tmp/../../Users", Some("/Users")),
            ("tmp/x", None),
        ] {
            assert_eq!(without_links(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn paths_of_profiles() {
        for inside in ["a.sb", "a/../b.sb", "./a/b.sb", "/System/Library/Sandbox/Profiles/bsd.sb"] {
            assert!(!leaves_the_folder(inside), "{inside}");
        }
        for outside in ["../a.sb", "a/../../b.sb", "/etc/a.sb", "/System/Library/Sandbox/Profiles/../../x"] {
            assert!(leaves_the_folder(outside), "{outside}");
        }
    }
}
