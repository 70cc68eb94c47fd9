//! Every shipped profile is *equal*, decided over all requests, to its formatted, expanded, compiled and decompiled forms.
//!
//! The compiled and decompiled forms exist for what evaluates for the native compiler's target.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use sbpl::blob::Program;
use sbpl::compile::decompile::verify;
use sbpl::compile::{Compiled, Limits, compile};
use sbpl::decide::{Budget, Engine, Graph};
use sbpl::diag::Source;
use sbpl::diff::semantic::{Change, Comparison, Side};
use sbpl::policy::{Policy, print};
use sbpl::profile::{EvalOptions, evaluate};
use sbpl::syntax::{self, SyntaxLimits, format};
use sbpl::vocab;

use crate::corpus_evaluate::{loader, names, options, text};
use crate::counts;
use crate::requests::{REQUESTS, Requests};

pub(crate) fn trials(shared: PathBuf) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (corpus, target) in
        [("macos-10.15", "macos-10.15"), ("macos-10.15", vocab::DEFAULT_TARGET), ("modern", vocab::DEFAULT_TARGET)]
    {
        let shared = shared.clone();
        // All four forms of 212 profiles take minutes without optimisation.
        let every = if cfg!(debug_assertions) && corpus != "modern" && target == vocab::DEFAULT_TARGET { 4 } else { 1 };
        trials.push(Trial::test(format!("equal: forms of {corpus} for {target}"), move || {
            forms(&shared, corpus, target, every)
        }));
    }
    trials
}

/// How many profiles have a form, and for how many it is equal.
#[derive(Default)]
struct Count {
    equal: usize,
    total: usize,
}

impl Count {
    fn note(&mut self, what: &str, outcome: Result<(), String>) {
        self.total += 1;
        match outcome {
            Ok(()) => self.equal += 1,
            Err(why) => println!("{what}: {why}"),
        }
    }
}

fn equal(a: Side<'_>, b: Side<'_>) -> Result<(), String> {
    let mut comparison = Comparison::new(a, b, Budget::default()).map_err(|error| error.to_string())?;
    let target = comparison.target();
    match comparison.changes().into_iter().find(|(_, change)| *change != Change::Equal) {
        None => Ok(()),
        Some((operation, change)) => Err(format!("{}: {change:?}", target.operation(operation).name)),
    }
}

fn same_answers(a: &Policy, b: &Policy) -> Result<(), String> {
    let (one, other) = (Engine::new(a.clone()), Engine::new(b.clone()));
    for request in Requests::new(a).take(REQUESTS) {
        let answers = [one.decide(&request).answer, other.decide(&request).answer];
        if answers[0] != answers[1] {
            return Err(format!("called equal, but {answers:?} for {request:?}"));
        }
    }
    Ok(())
}

fn engines_agree(policy: &Policy, program: &Program) -> Result<(), String> {
    let (engine, graph) = (Engine::new(policy.clone()), Graph::new(program, None).map_err(|error| error.to_string())?);
    for request in Requests::new(policy).take(REQUESTS) {
        let answers = [engine.decide(&request).answer, graph.decide(&request).answer];
        if answers[0] != answers[1] {
            return Err(format!("called equal, but {answers:?} for {request:?}"));
        }
    }
    Ok(())
}

fn as_text(shared: &Path, policy: &Policy, text: Vec<u8>, options: &EvalOptions) -> Result<(), String> {
    let again = evaluate(Source::new("form", text), &loader(shared), options).map_err(|failure| failure.to_string())?;
    equal(Side::Policy(policy), Side::Policy(&again.policy))?;
    same_answers(policy, &again.policy)
}

fn formatted(text: &[u8]) -> Result<Vec<u8>, String> {
    let parsed = syntax::parse(text, &SyntaxLimits::default());
    format::format(&parsed, format::Style::default()).ok_or_else(|| "cannot be formatted".to_owned())
}

fn compiled(policy: &Policy) -> Result<Compiled, String> {
    compile(policy, &Limits::default()).map_err(|error| error.to_string())
}

fn decompiled(shared: &Path, policy: &Policy, compiled: &Compiled) -> Result<(), String> {
    let verified =
        verify(&compiled.program, 0, Some(&compiled.bytes), policy.target()).map_err(|stop| stop.to_string())?;
    let params = verified.draft.params.iter().map(|name| ((*name).to_owned(), "1".to_owned())).collect();
    let options = EvalOptions { target: policy.target(), params: Some(params), ..EvalOptions::default() };
    as_text(shared, policy, verified.draft.text, &options)
}

fn forms(shared: &Path, corpus: &str, target: &str, every: usize) -> Result<(), Failed> {
    let native = target == vocab::DEFAULT_TARGET;
    let [mut evaluated, mut format, mut expand, mut compile, mut decompile] = [(); 5].map(|()| Count::default());
    for name in names(shared, corpus)?.into_iter().step_by(every) {
        let options = EvalOptions { target: vocab::target(target)?, ..options(corpus, &name)? };
        let text = text(shared, corpus, &name)?;
        let evaluation = evaluate(Source::new(name.as_str(), text.clone()), &loader(shared), &options);
        let evaluation = evaluation.map_err(|failure| failure.to_string());
        evaluated.note(&name, evaluation.as_ref().map(drop).map_err(Clone::clone));
        let Ok(evaluation) = evaluation else { continue };
        let policy = evaluation.policy;
        let pretty = formatted(&text).and_then(|text| as_text(shared, &policy, text, &options));
        format.note(&format!("{name} formatted"), pretty);
        let flat = print::policy(&policy, true);
        expand.note(&format!("{name} expanded"), as_text(shared, &policy, flat, &options));
        if !native {
            continue;
        }
        let blob = compiled(&policy);
        let proved = blob.as_ref().map_err(Clone::clone);
        let proved = proved.and_then(|blob| {
            equal(Side::Policy(&policy), Side::Program(&blob.program, None))?;
            engines_agree(&policy, &blob.program)
        });
        compile.note(&format!("{name} compiled"), proved);
        if let Ok(blob) = blob {
            decompile.note(&format!("{name} decompiled"), decompiled(shared, &policy, &blob));
        }
    }
    let check = |form: &str, count: &Count| {
        let part = if every == 1 { String::new() } else { format!(", one in {every}") };
        counts::check(&format!("equal {corpus} for {target}: {form}{part}"), count.equal, count.total)
    };
    check("evaluated", &evaluated)?;
    check("formatted", &format)?;
    check("expanded", &expand)?;
    if native {
        check("compiled", &compile)?;
        check("decompiled", &decompile)?;
    }
    Ok(())
}
