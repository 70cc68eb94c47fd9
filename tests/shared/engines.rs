//! Two engines, one answer: policies against the compiled profiles that Apple's compiler and ours made of them.
//!
//! Equality is decided over all requests by the semantic diff; besides, both engines answer random requests.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use sbpl::blob::{Blob, Options, Program};
use sbpl::compile::{Limits, compile};
use sbpl::decide::coverage::never_decides;
use sbpl::decide::{Budget, Decider, Engine, Graph, Request};
use sbpl::diag::Source;
use sbpl::diff::semantic::{Change, Comparison, Side};
use sbpl::policy::{Policy, RuleId};
use sbpl::profile::{EvalOptions, MemoryLoader, Params, evaluate};

use crate::counts;
use crate::requests::{REQUESTS, Requests};

pub(crate) fn trials(folder: PathBuf) -> Vec<Trial> {
    let golden = folder.join("golden/macos-14.4");
    vec![Trial::test("engines: policy and graph agree on the golden profiles", move || run(&golden))]
}

fn program(bytes: &[u8]) -> Result<Program, Failed> {
    Ok(Blob::parse(bytes, &Options::default())?.program()?)
}

fn run(folder: &Path) -> Result<(), Failed> {
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("manifest.json"))?)?;
    let mut equal = [0usize; 2];
    let mut total = [0usize; 2];
    let (mut agreed, mut dead) = (0, 0);
    let mut wrong = Vec::new();
    for case in manifest["cases"].as_array().into_iter().flatten() {
        let (Some(source), Some(name)) = (case["source"].as_str(), case["name"].as_str()) else { continue };
        if case["compile"] != "ok" {
            continue;
        }
        let params: Params = serde_json::from_value(case["params"].clone()).unwrap_or_default();
        let options = EvalOptions { params: Some(params), ..EvalOptions::default() };
        let text = Source::new(name, std::fs::read(folder.join(source))?);
        // A few import system files that are not among the data.
        let Ok(evaluation) = evaluate(text, &MemoryLoader::new(), &options) else { continue };
        let policy = evaluation.policy;
        let mut programs = Vec::new();
        if let Ok(compiled) = compile(&policy, &Limits::default()) {
            programs.push((0, program(&compiled.bytes)?));
        }
        if let Some(hex) = case["hex"].as_str() {
            programs.push((1, program(&unhex(&std::fs::read_to_string(folder.join(hex))?)?)?));
        }
        for (kind, program) in &programs {
            total[*kind] += 1;
            match unequal(&policy, program)? {
                None => equal[*kind] += 1,
                Some(problem) => wrong.push(format!("{name}: {problem}")),
            }
        }
        if let Some((_, program)) = programs.last() {
            match disagreement(&policy, program)? {
                None => agreed += 1,
                Some(problem) => wrong.push(format!("{name}: {problem}")),
            }
            match living_dead(&policy) {
                None => dead += 1,
                Some(problem) => println!("{name}: {problem}"),
            }
        }
    }
    for problem in &wrong {
        println!("{problem}");
    }
    counts::check("engines: policies equal to our blob, decided over all requests", equal[0], total[0])?;
    counts::check("engines: policies equal to Apple's blob, decided over all requests", equal[1], total[1])?;
    counts::check("engines: profiles on which both agree under random requests", agreed, agreed + wrong.len())?;
    counts::check("engines: profiles whose dead rules decide no random request", dead, agreed + wrong.len())?;
    Ok(())
}

fn unhex(text: &str) -> Result<Vec<u8>, Failed> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}

fn unequal(policy: &Policy, program: &Program) -> Result<Option<String>, Failed> {
    let mut comparison = Comparison::new(Side::Policy(policy), Side::Program(program, None), Budget::default())?;
    let target = comparison.target();
    let differs = comparison.changes().into_iter().find(|(_, change)| *change != Change::Equal);
    Ok(differs.map(|(operation, change)| format!("{}: {change:?}", target.operation(operation).name)))
}

/// A rule that is proved to decide nothing and decides a request.
fn living_dead(policy: &Policy) -> Option<String> {
    let dead: Vec<RuleId> = never_decides(policy, Budget::default()).into_iter().map(|(id, _)| id).collect();
    let engine = Engine::new(policy.clone());
    let mut requests = Requests::new(policy).take(REQUESTS);
    let decider = |request: &Request| engine.decide(request).only_decider();
    requests.find_map(|request| match decider(&request) {
        Some(Decider::Rule(id)) if dead.contains(&id) => Some(format!("rule {} is dead but decides {request:?}", id.0)),
        _ => None,
    })
}

/// A request that the two engines answer in different ways.
fn disagreement(policy: &Policy, program: &Program) -> Result<Option<String>, Failed> {
    let (engine, graph) = (Engine::new(policy.clone()), Graph::new(program, None)?);
    for request in Requests::new(policy).take(REQUESTS) {
        let answers = [engine.decide(&request).answer, graph.decide(&request).answer];
        if answers[0] != answers[1] {
            return Ok(Some(format!("{answers:?} for {request:?}")));
        }
    }
    Ok(None)
}
