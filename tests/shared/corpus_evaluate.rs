//! Every shipped profile evaluates, or fails with exactly the documented cause; what `expand` prints evaluates to the same
//! policy again.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use serde::Deserialize;

use sbpl::diag::Source;
use sbpl::policy::{Policy, Rule, RuleSource, print};
use sbpl::profile::{EvalFailure, EvalOptions, Evaluation, ImportError, ImportRequest, Loader, Params, evaluate};
use sbpl::vocab;

use super::counts;

/// Profiles of 10.15 that cannot evaluate, with the code and a part of the message (`corpus/macos-10.15/README.md`).
/// Two that the list there also names do: `application.sb`, given parameters, and `com.apple.deleted.sb`, which only defines
/// and never calls what calls `any-home-regex`.
const FAILING_10_15: &[(&str, &str, &str)] = &[
    ("platform_profile.sb", "E0201", "unbound variable: 00f1"),
    ("com.apple.metrickitd.sb", "E0225", "unable to open common.sb"),
    ("com.apple.softwareupdated.sb", "E0225", "unable to open /System/Library/PrivateFrameworks/BridgeOSInstall"),
    ("wfs.sb", "E0225", "unable to open /etc/wfs/wfs_file-write.sb"),
    ("com.apple.colorsync.displayservices.sb", "E0201", "unbound variable: allow-create-directory"),
    ("com.apple.atsd.internal.sb", "E0201", "unbound variable: import"),
    ("com.apple.atsd.support.sb", "E0201", "unbound variable: allow"),
    ("com.apple.fontd.internal.sb", "E0201", "unbound variable: import"),
    ("com.apple.fontd.support.sb", "E0201", "unbound variable: allow"),
    ("com.apple.genatsdb.internal.sb", "E0201", "unbound variable: import"),
    ("fontmoverinternal.sb", "E0201", "unbound variable: allow"),
    ("fontworkerinternal.sb", "E0201", "unbound variable: import"),
];

/// Newer profiles that cannot evaluate.
const FAILING_MODERN: &[(&str, &str, &str)] = &[
    ("webkit-gpu-ios-2021.sb", "E0225", "unable to open util.sb"),
    ("webkit-webcontent-ios-2021.sb", "E0225", "unable to open util.sb"),
    ("webkit-webprocess-mac-2021.sb.in", "E0106", "undefined sharp expression"),
    ("webkit-plugin-common-mac-2021.sb.in", "E0106", "undefined sharp expression"),
];

/// Newer profiles without `version`: imported by a text of ours.
const FRAGMENTS: &[&str] = &[
    "codex-network.sb",
    "codex-platform-defaults.sb",
    "nix-sandbox-defaults.sb",
    "nix-sandbox-network.sb",
    "safehouse-chromium-headless.sb",
    "safehouse-system-runtime.sb",
];

/// The wrapper has the helpers that the fragments' own generators define before them.
const WRAPPER: &str = r#"(version 1)
(deny default)
(define (home-literal name) (literal (string-append (param "HOME") name)))
(define (home-subpath name) (subpath (string-append (param "HOME") name)))
(define (home-prefix name) (prefix (string-append (param "HOME") name)))
(import "NAME")
"#;

#[derive(Deserialize)]
struct Parameters {
    defaults: Params,
    profiles: std::collections::BTreeMap<String, Params>,
}

pub(crate) struct Folders(Vec<PathBuf>);

impl Loader for Folders {
    fn load(&self, request: &ImportRequest, _: u64) -> Result<Source, ImportError> {
        let texts = self.0.iter().map(|folder| std::fs::read(folder.join(&request.name)));
        match texts.flatten().next() {
            Some(text) => Ok(Source::new(request.name.as_str(), text)),
            None => Err(ImportError::NotFound { reason: "not in the corpus".to_owned() }),
        }
    }
}

pub(crate) fn trials(folder: PathBuf) -> Vec<Trial> {
    let (old, new, app) = (folder.clone(), folder.clone(), folder);
    vec![
        Trial::test("corpus_evaluate macos-10.15", move || corpus(&old, "macos-10.15", FAILING_10_15)),
        Trial::test("corpus_evaluate modern", move || corpus(&new, "modern", FAILING_MODERN)),
        Trial::test("corpus_evaluate application with entitlements", move || application(&app)),
    ]
}

fn parameters(profile: &str) -> Result<Params, Failed> {
    let all: Parameters = serde_json::from_str(include_str!("parameters.json"))?;
    let mut params = all.defaults;
    params.extend(all.profiles.get(profile).cloned().unwrap_or_default());
    Ok(params)
}

pub(crate) fn options(corpus: &str, profile: &str) -> Result<EvalOptions, Failed> {
    let target = vocab::target(if corpus == "modern" { vocab::DEFAULT_TARGET } else { corpus })?;
    Ok(EvalOptions { target, params: Some(parameters(&format!("{corpus}/{profile}"))?), ..EvalOptions::default() })
}

pub(crate) fn loader(shared: &Path) -> Folders {
    Folders(vec![shared.join("corpus/modern"), shared.join("corpus/macos-10.15")])
}

/// The names of the profiles of a corpus.
pub(crate) fn names(shared: &Path, corpus: &str) -> Result<Vec<String>, Failed> {
    let folder = shared.join("corpus").join(corpus);
    let mut names: Vec<String> =
        std::fs::read_dir(&folder)?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.contains(".sb"));
    names.sort();
    Ok(names)
}

/// A profile's text; a fragment inside a text of ours.
pub(crate) fn text(shared: &Path, corpus: &str, name: &str) -> Result<Vec<u8>, Failed> {
    Ok(match FRAGMENTS.contains(&name) {
        true => WRAPPER.replace("NAME", name).into_bytes(),
        false => std::fs::read(shared.join("corpus").join(corpus).join(name))?,
    })
}

fn corpus(shared: &Path, corpus: &str, failing: &[(&str, &str, &str)]) -> Result<(), Failed> {
    let names = names(shared, corpus)?;
    let (mut evaluated, mut refused, mut same) = (0, 0, 0);
    for name in &names {
        let options = options(corpus, name)?;
        let text = text(shared, corpus, name)?;
        let outcome = evaluate(Source::new(name.as_str(), text), &loader(shared), &options);
        let expected = failing.iter().find(|(known, ..)| known == name);
        match (outcome, expected) {
            (Ok(evaluation), None) => {
                evaluated += 1;
                if !evaluation.missing_params.is_empty() {
                    println!("{name}: parameters.json lacks {:?}", evaluation.missing_params);
                }
                match expands_to_itself(&evaluation, shared, &options) {
                    Ok(()) => same += 1,
                    Err(why) => println!("{name}: {why}"),
                }
            }
            (Err(failure), Some((_, code, message))) if is(&failure, code, message) => refused += 1,
            (Ok(_), Some((_, code, _))) => println!("{name}: evaluates, but {code} is documented"),
            (Err(failure), _) => println!("{name}: {failure}"),
        }
    }
    counts::check(&format!("corpus {corpus}: profiles evaluated"), evaluated, names.len() - failing.len())?;
    counts::check(&format!("corpus {corpus}: failures as documented"), refused, failing.len())?;
    counts::check(&format!("corpus {corpus}: expansions with the same policy"), same, evaluated)
}

fn is(failure: &EvalFailure, code: &str, message: &str) -> bool {
    failure.diagnostics.iter().any(|diagnostic| diagnostic.code.0 == code && diagnostic.message.starts_with(message))
}

/// Rules without their origins.
fn rules(policy: &Policy) -> Vec<Rule> {
    fn bare(rule: &Rule) -> Rule {
        let mut rule = Rule { origin: None, ..rule.clone() };
        for modifier in &mut rule.modifiers {
            if let sbpl::policy::ModifierValue::Rules(filter) = &mut modifier.value {
                filter.rules = filter.rules.iter().map(bare).collect();
            }
        }
        rule
    }
    policy.rules().iter().map(bare).collect()
}

fn expands_to_itself(evaluation: &Evaluation, shared: &Path, options: &EvalOptions) -> Result<(), String> {
    let text = print::policy(&evaluation.policy, true);
    let again = evaluate(Source::new("expansion", text.clone()), &loader(shared), options)
        .map_err(|failure| format!("the expansion fails: {failure}"))?;
    let (before, after) = (rules(&evaluation.policy), rules(&again.policy));
    if let Some((one, other)) = before.iter().zip(&after).find(|(one, other)| one != other) {
        return Err(format!("{one:?} expands to {other:?}"));
    }
    if before.len() != after.len() || evaluation.policy.options != again.policy.options {
        return Err(format!("{} rules expand to {}", before.len(), after.len()));
    }
    if print::policy(&again.policy, true) != text {
        return Err("the expansion of the expansion is another text".to_owned());
    }
    Ok(())
}

/// The hardest profile with everything it can be given: `eval` of an entitlement, redirected paths, filters as values.
fn application(shared: &Path) -> Result<(), Failed> {
    let name = "application.sb";
    let entitlements = serde_json::from_str(include_str!("application-entitlements.json"))?;
    let options = EvalOptions { entitlements: Some(entitlements), ..options("macos-10.15", name)? };
    let text = std::fs::read(shared.join("corpus/macos-10.15").join(name))?;
    let evaluation = evaluate(Source::new(name, text), &loader(shared), &options)?;
    let printer = print::Printer::new(evaluation.policy.target(), evaluation.policy.version());
    let own: Vec<String> = evaluation
        .policy
        .rules()
        .iter()
        .filter(|rule| rule.source == RuleSource::Profile)
        .map(|rule| String::from_utf8_lossy(&printer.rule(rule)).into_owned())
        .collect();
    for wanted in [
        // eval of a string from an entitlement, inside a macro.
        r#"(allow file-read* (literal "/Library/Example/evaluated"))"#,
        // a home-relative directory, and one that is everything.
        r#"(allow process-exec* (subpath "/Users/someone/Documents"))"#,
        r#"(allow file-link process-exec* (subpath "/"))"#,
        r#"(allow sysctl-read (sysctl-name-prefix "hw."))"#,
        r#"(allow appleevent-send (appleevent-destination "org.example.other"))"#,
        // the ancestors of a redirected path are protected.
        r#"(allow file-read-metadata (literal "/Library/Example/link"))"#,
    ] {
        if !own.iter().any(|rule| rule == wanted) {
            return Err(format!("no rule {wanted}").into());
        }
    }
    println!("application.sb: {} rules, {} steps", evaluation.policy.rules().len(), evaluation.steps);
    expands_to_itself(&evaluation, shared, &options)?;
    Ok(())
}
