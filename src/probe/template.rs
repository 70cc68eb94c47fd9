//! The plans that are built in, as tables: `plan build --template NAME` writes one out with its profiles
//! (`spec/probe-runner.md` sections 1.4 and 2).
//!
//! Expectations are those of the notes where they were seen on macOS 14.4.1, else what the profile's text says. Every template
//! begins with a control that allows everything: under it a sandboxed parent is recognised.

mod families;

use serde_json::{Map, Value, json};

use super::registry::Decision;
use super::{WORLD_ID, tag};
use crate::sandbox::Stage;

/// A plan as a table.
#[derive(Debug, Clone, Copy)]
pub struct Template {
    /// Its name, also that of its registry and plan.
    pub id: &'static str,
    /// What it is for, in one line.
    pub description: &'static str,
    profiles: &'static [Profile],
}

#[derive(Debug, Clone, Copy)]
struct Profile {
    name: &'static str,
    text: Text,
    rules: &'static [&'static str],
    blob: bool,
    expected_block: Option<Stage>,
    family: Option<&'static str>,
    probes: &'static [Probe],
}

#[derive(Debug, Clone, Copy)]
enum Text {
    /// Written beside the plan.
    Ours(&'static str),
    /// A profile of the system, by its path; on a Mac only.
    System(&'static str),
}

impl Profile {
    const fn new(name: &'static str, text: &'static str, probes: &'static [Probe]) -> Self {
        let text = Text::Ours(text);
        Self { name, text, rules: &[], blob: false, expected_block: None, family: None, probes }
    }

    const fn of_the_system(name: &'static str, path: &'static str, probes: &'static [Probe]) -> Self {
        Self { text: Text::System(path), ..Self::new(name, "", probes) }
    }

    const fn with_rules(self, rules: &'static [&'static str]) -> Self {
        Self { rules, ..self }
    }

    const fn blocked_at(self, stage: Stage) -> Self {
        Self { expected_block: Some(stage), ..self }
    }

    const fn in_family(self, family: &'static str) -> Self {
        Self { family: Some(family), ..self }
    }

    /// Judged by what the compiler makes of it.
    const fn as_blob(self) -> Self {
        Self { blob: true, ..self }
    }
}

#[derive(Debug, Clone, Copy)]
struct Probe {
    operation: &'static str,
    target: &'static str,
    expected: Decision,
    /// Keys of the probe that the table has no column for.
    details: &'static [(&'static str, &'static str)],
}

const fn allow(operation: &'static str, target: &'static str) -> Probe {
    Probe { operation, target, expected: Decision::Allow, details: &[] }
}

const fn deny(operation: &'static str, target: &'static str) -> Probe {
    Probe { operation, target, expected: Decision::Deny, details: &[] }
}

impl Probe {
    const fn with(self, details: &'static [(&'static str, &'static str)]) -> Self {
        Self { details, ..self }
    }
}

/// Every template, by name.
pub fn templates() -> &'static [Template] {
    families::TEMPLATES
}

/// The template of this name.
pub fn named(id: &str) -> Option<&'static Template> {
    families::TEMPLATES.iter().find(|template| template.id == id)
}

impl Template {
    /// Whether it names profiles that only macOS has.
    pub fn needs_a_mac(&self) -> bool {
        self.profiles.iter().any(|profile| matches!(profile.text, Text::System(_)))
    }

    /// The template as its document, with the texts of its profiles under `files`.
    pub fn to_json(&self) -> Value {
        let (mut profiles, mut probes, mut files) = (Map::new(), Map::new(), Map::new());
        for profile in self.profiles {
            let id = format!("{}:{}", self.id, profile.name);
            let path = match profile.text {
                Text::Ours(text) => {
                    let path = format!("sb/{}.sb", profile.name);
                    files.insert(path.clone(), json!(text));
                    path
                }
                Text::System(path) => path.to_owned(),
            };
            let mut refs = Vec::new();
            for probe in profile.probes {
                let name = probe.name();
                let probe_id = format!("{id}:{name}");
                probes.insert(probe_id.clone(), probe.to_json(&probe_id, &name));
                refs.push(probe_id);
            }
            let mut entry = json!({
                "profile_id": id,
                "profile_path": path,
                "mode": if profile.blob { "blob" } else { "sbpl" },
                "family": profile.family,
                "semantic_group": null,
                "probe_refs": refs,
                "key_specific_rules": profile.rules,
                "notes": null,
            });
            if let (Some(stage), Some(map)) = (profile.expected_block, entry.as_object_mut()) {
                map.insert("expected_block".to_owned(), json!(stage));
            }
            profiles.insert(id, entry);
        }
        json!({
            "schema_version": tag::PLAN_TEMPLATE,
            "template_id": self.id,
            "registry_id": self.id,
            "world_id": WORLD_ID,
            "description": self.description,
            "plan": {
                "plan_id": self.id,
                "profiles": profiles.keys().collect::<Vec<_>>(),
                "lanes": { "baseline": true, "scenario": true, "oracle": false },
                "controls": { "baseline": true },
                "apply_preflight_profile": "sb/control.sb",
                "notes": self.description,
            },
            "probes": probes,
            "profiles": profiles,
            "files": files,
        })
    }
}

impl Probe {
    /// As the notes name probes: `read_/etc/hosts`; other operations by their name.
    fn name(&self) -> String {
        let verb = match self.operation {
            "file-read*" => "read",
            "file-write*" => "write",
            other => other,
        };
        let how = self.details.iter().filter(|(key, _)| *key == "acquire").map(|(_, value)| format!("_{value}"));
        format!("{verb}_{}{}", self.target, how.collect::<String>())
    }

    fn to_json(self, id: &str, name: &str) -> Value {
        let mut probe = json!({
            "probe_id": id,
            "name": name,
            "operation": self.operation,
            "target": self.target,
            "expected": self.expected,
            "expectation_id": id,
            "supports_lanes": { "baseline": true, "scenario": true, "oracle": false },
            "expected_primary_ops": [self.operation],
            "expected_predicates": [],
            "capabilities_required": [],
            "controls_supported": ["baseline", "allow_default", "deny_default"],
        });
        if let Some(map) = probe.as_object_mut() {
            map.extend(self.details.iter().map(|(key, value)| ((*key).to_owned(), json!(value))));
        }
        probe
    }
}
