//! What is wrong with a plan before it is run. The texts are compared by other tools (`spec/probe-runner.md` section 1.2).

use super::set::{Files, PlanSet};

/// Every finding, in the order of the plan; empty for a plan that can be run.
pub fn lint(set: &PlanSet, files: &dyn Files) -> Vec<String> {
    let plan = &set.plan;
    let registry = &plan.registry_id;
    let mut findings = Vec::new();
    if registry.is_empty() {
        findings.push("missing registry_id".to_owned());
    }
    if plan.profiles.is_empty() {
        findings.push("profiles list is empty".to_owned());
    }
    for id in &plan.profiles {
        if registry.is_empty() {
            break;
        }
        let Some(profile) = set.profiles.profiles.get(id) else {
            findings.push(format!("unknown profile: {registry}:{id}"));
            continue;
        };
        let path = &profile.profile_path;
        let text = if path.is_empty() {
            findings.push(format!("profile missing profile_path: {registry}:{id}"));
            None
        } else {
            files.read(path).ok()
        };
        if text.is_none() && !path.is_empty() {
            findings.push(format!("profile_path missing: {registry}:{id} -> {path}"));
        }
        if profile.probe_refs.is_empty() {
            findings.push(format!("profile has no probe_refs: {registry}:{id}"));
        }
        let strict = profile.key_specific_rules.iter().any(|rule| rule.trim_start().starts_with(DENY_DEFAULT))
            || text.is_some_and(|text| memchr::memmem::find(&text, b"(deny default)").is_some());
        for reference in &profile.probe_refs {
            let Some(probe) = set.probes.probes.get(reference) else {
                findings.push(format!("unknown probe_ref: {registry}:{id}:{reference}"));
                continue;
            };
            let in_process = probe.details.driver.as_deref() == Some(IN_PROCESS);
            if strict && probe.operation == "mach-lookup" && !in_process {
                findings.push(format!(
                    "deny-default mach-lookup requires in-process driver ({IN_PROCESS}): {registry}:{id}:{reference}"
                ));
            }
        }
    }
    if let Some(path) = &plan.apply_preflight_profile
        && files.read(path).is_err()
    {
        findings.push(format!("apply_preflight_profile missing: {path}"));
    }
    findings
}

const DENY_DEFAULT: &str = "(deny default";
const IN_PROCESS: &str = "sandbox_mach_probe";
