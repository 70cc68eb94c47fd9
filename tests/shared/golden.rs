//! The native compiler against what Apple's made of the same sources on macOS 14.4.1: SHA-256 of the whole blob.

use std::collections::BTreeMap;
use std::path::Path;

use libtest_mimic::{Failed, Trial};
use sbpl::blob;
use sbpl::compile::{Limits, compile};
use sbpl::diag::{Diagnostic, Source, SourceMap};
use sbpl::profile::{EvalOptions, MemoryLoader, Params, apple_text, evaluate};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::counts;

#[derive(Deserialize)]
struct Manifest {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    category: String,
    source: Option<String>,
    params: Option<Params>,
    compile: String,
    error_text: Option<String>,
    warning_text: Option<String>,
    sha256: Option<String>,
    hex: Option<String>,
}

pub(crate) fn trials(shared: std::path::PathBuf) -> Vec<Trial> {
    vec![Trial::test("golden", move || golden(&shared.join("golden/macos-14.4")))]
}

/// What a case came to; `Err` says why it is wrong.
fn judge(folder: &Path, case: &Case, source: &str) -> Result<(), String> {
    let text = std::fs::read(folder.join(source)).map_err(|error| error.to_string())?;
    let options = EvalOptions { params: Some(case.params.clone().unwrap_or_default()), ..EvalOptions::default() };
    // Apple's harness compiled most texts as strings.
    let outcome = evaluate(Source::new("<input string>", text), &MemoryLoader::new(), &options);
    let shown = |diagnostics: &[Diagnostic], sources: &SourceMap| -> Vec<String> {
        diagnostics.iter().map(|diagnostic| apple_text(diagnostic, sources)).collect()
    };
    if case.compile != "ok" {
        let wanted = case.error_text.clone().unwrap_or_default();
        return match outcome {
            Ok(_) => Err(format!("compiles, but Apple says {wanted:?}")),
            Err(failure) if shown(&failure.diagnostics, &failure.sources).contains(&wanted) => Ok(()),
            Err(failure) => Err(format!("{:?}, Apple: {wanted:?}", shown(&failure.diagnostics, &failure.sources))),
        };
    }
    let evaluation = outcome.map_err(|failure| shown(&failure.diagnostics, &failure.sources).join("; "))?;
    if let Some(wanted) = &case.warning_text
        && !evaluation.warnings.iter().any(|warning| warning.message == *wanted)
    {
        return Err(format!("lacks the warning {wanted:?}"));
    }
    let compiled = compile(&evaluation.policy, &Limits::default()).map_err(|error| error.to_string())?;
    if case.sha256.as_deref() == Some(hex(&Sha256::digest(&compiled.bytes)).as_str()) {
        return Ok(());
    }
    let wanted = case
        .hex
        .as_ref()
        .and_then(|path| std::fs::read_to_string(folder.join(path)).ok())
        .and_then(|text| unhex(&text));
    Err(match wanted {
        Some(wanted) => difference(&wanted, &compiled.bytes),
        None => format!("{} bytes; the recorded blob is known by its digest only", compiled.bytes.len()),
    })
}

/// The first byte that differs and the section that it is in.
fn difference(wanted: &[u8], got: &[u8]) -> String {
    let at = wanted.iter().zip(got).take_while(|(wanted, got)| wanted == got).count();
    let section = blob::Blob::parse(wanted, &blob::Options::default()).ok().and_then(|blob| {
        blob.layout().sections.iter().find(|section| section.range.contains(&at)).map(|section| section.name)
    });
    format!("first difference at byte {at} ({}); {} bytes, not {}", section.unwrap_or("end"), got.len(), wanted.len())
}

fn golden(folder: &Path) -> Result<(), Failed> {
    let manifest: Manifest = serde_json::from_slice(&std::fs::read(folder.join("manifest.json"))?)?;
    let mut table: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let (mut right, mut total, mut refused, mut refusals) = (0, 0, 0, 0);
    for case in &manifest.cases {
        let Some(source) = &case.source else { continue };
        let row = table.entry(&case.category).or_default();
        row.1 += 1;
        let verdict = judge(folder, case, source);
        if let Err(why) = &verdict {
            println!("wrong: {} [{}]: {why}", case.name, case.category);
        }
        let good = usize::from(verdict.is_ok());
        row.0 += good;
        if case.compile == "ok" {
            (right, total) = (right + good, total + 1);
        } else {
            (refused, refusals) = (refused + good, refusals + 1);
        }
    }
    for (category, (right, total)) in &table {
        println!("{category:24} {right:3} of {total:3}");
    }
    counts::check("golden: errors in Apple's words", refused, refusals)?;
    counts::check("golden: sources compiled to Apple's bytes", right, total)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text.trim().chars().map(|digit| digit.to_digit(16)).collect::<Option<_>>()?;
    digits.chunks(2).map(|pair| u8::try_from(pair.iter().fold(0, |value, digit| value << 4 | digit)).ok()).collect()
}
