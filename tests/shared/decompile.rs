//! Blobs to text and back: every recorded blob, and the large profiles of other systems.

use std::path::{Path, PathBuf};
use std::time::Instant;

use libtest_mimic::{Failed, Trial};
use sbpl::blob::{Blob, Options, Program, Roots};
use sbpl::compile::decompile::{Choices, Outcome, decompile, verify};
use sbpl::compile::{Limits, compile};
use sbpl::decide::Budget;
use sbpl::diag::Source;
use sbpl::diff::semantic::{Change, Comparison, Side};
use sbpl::profile::{EvalOptions, MemoryLoader, Params, evaluate};
use sbpl::vocab;
use serde_json::Value;

use crate::counts;

pub(crate) fn trials(shared: PathBuf) -> Vec<Trial> {
    let golden_folder = shared.join("golden/macos-14.4");
    let mut trials = vec![Trial::test("decompile::golden", move || golden(&golden_folder))];
    let cases = shared.join("golden/decompiler-cases.json");
    trials.push(Trial::test("decompile::cases", move || faithfulness(&cases)));
    for file in BLOBS {
        let path = shared.join("golden/blobs").join(file);
        // 218 profiles of entangled programs take a minute without optimisation.
        let every = if cfg!(debug_assertions) && file.starts_with("ios-13") { 6 } else { 1 };
        trials.push(Trial::test(format!("decompile::{file}"), move || whole(&path, every)));
    }
    trials
}

/// The whole compiled profiles of other systems.
const BLOBS: [&str; 5] = [
    "ios-13-collection.bin",
    "ios-17-platform.bin",
    "ios-17-collection.bin",
    "macos-15.2-platform.bin",
    "ios-26-platform.bin",
];

fn read(path: &Path) -> Result<Vec<u8>, Failed> {
    Ok(std::fs::read(path)?)
}

fn golden(folder: &Path) -> Result<(), Failed> {
    let manifest: Value = serde_json::from_slice(&read(&folder.join("manifest.json"))?)?;
    let (mut identical, mut total) = (0, 0);
    for case in manifest["cases"].as_array().into_iter().flatten() {
        let (Some(name), Some(hex)) = (case["name"].as_str(), case["hex"].as_str()) else { continue };
        total += 1;
        let digits = String::from_utf8(read(&folder.join(hex))?)?;
        let bytes: Vec<u8> = (0..digits.trim().len() / 2)
            .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16))
            .collect::<Result<_, _>>()?;
        let program = Blob::parse(&bytes, &Options::default())?.program()?;
        let verified = verify(&program, 0, Some(&bytes), vocab::default_target())?;
        match verified.outcome {
            Outcome::Identical if verified.draft.lost.is_empty() => identical += 1,
            outcome => {
                println!("{name}: {outcome:?}\n{}", String::from_utf8_lossy(&verified.draft.text));
            }
        }
    }
    counts::check("decompile: recorded blobs that come back to their bytes", identical, total)
}

/// The names of the profiles; one that is no collection has none.
fn profiles(program: &Program) -> Vec<Option<String>> {
    match &program.roots {
        Roots::Single(_) => vec![None],
        Roots::Collection { profiles, .. } => {
            profiles.iter().map(|profile| Some(String::from_utf8_lossy(&profile.name).into_owned())).collect()
        }
    }
}

/// Profiles of another system, one in `every`: how many can be said without anything left out. In an optimised build also how many compile
/// again and decide the same, which takes minutes otherwise.
fn whole(path: &Path, every: usize) -> Result<(), Failed> {
    let bytes = read(path)?;
    let blob = Blob::parse(&bytes, &Options::default())?;
    let target = vocab::target(blob.header().generation.target())?;
    let program = blob.program()?;
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let profiles = profiles(&program);
    let started = Instant::now();
    let (mut said, mut asked) = (0, 0);
    for number in (0..profiles.len()).step_by(every) {
        asked += 1;
        let draft = decompile(&program, number, target, &Choices::default())?;
        said += usize::from(draft.lost.is_empty());
        if !draft.lost.is_empty() {
            println!("{number}: not said: {:?}", draft.lost);
        }
    }
    println!("{name}: {asked} profiles decompiled in {:?}", started.elapsed());
    let part = if every == 1 { String::new() } else { format!(", one in {every}") };
    counts::check(&format!("decompile {name}: profiles said completely{part}"), said, asked)?;
    if cfg!(debug_assertions) {
        return Ok(());
    }
    report(name, &profiles, &program, &bytes, target)
}

/// Prints what compiling again shows.
fn report(
    name: &str,
    profiles: &[Option<String>],
    program: &Program,
    bytes: &[u8],
    target: &'static vocab::Target,
) -> Result<(), Failed> {
    let (mut compiles, mut programs, mut identical, mut decides, mut operations) = (0, 0, 0, 0, 0);
    for (number, profile) in profiles.iter().enumerate() {
        let profile = profile.as_deref();
        let verified = verify(program, number, profile.is_none().then_some(bytes), target)?;
        match &verified.outcome {
            Outcome::Fails(message) => println!("{number}: does not compile: {message}"),
            _ => compiles += 1,
        }
        identical += usize::from(verified.outcome == Outcome::Identical);
        programs += usize::from(matches!(verified.outcome, Outcome::Identical | Outcome::SamePrograms { .. }));
        let Some(policy) = &verified.policy else { continue };
        let sides = [Side::Program(program, profile), Side::Policy(policy)];
        let changes = Comparison::new(sides[0], sides[1], Budget::default())?.changes();
        let same = changes.iter().filter(|(_, change)| *change == Change::Equal).count();
        operations += same;
        decides += usize::from(same == changes.len());
        for (operation, change) in changes.iter().filter(|(_, change)| *change != Change::Equal) {
            println!("{number}: {}: {}", target.operation(*operation).name, change.name());
        }
    }
    let total = profiles.len();
    println!(
        "{name}: of {total} profiles {compiles} compile again, {decides} decide the same, {programs} have the same graphs, \
         {identical} the same bytes; {operations} of {} operations decide the same",
        total * target.op_table_len()
    );
    Ok(())
}

/// The texts of a case: as they stand, one for each operation, or generated. None when the case is about another compiler.
fn texts(case: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if case.get("requires").is_some() {
        return Vec::new();
    }
    if let Some(template) = case["sbpl_template"].as_str() {
        let operations = case["operations"].as_array().into_iter().flatten();
        return operations.map(|operation| template.replace("OPERATION", &text(operation))).collect();
    }
    if let Some(repeat) = case["sbpl_generator"]["repeat"].as_u64() {
        let line = text(&case["sbpl_generator"]["line"]);
        // Thousands of rules take a compiler without optimisation too long.
        let repeat = if cfg!(debug_assertions) { repeat.min(200) } else { repeat };
        let lines: String = (0..repeat).map(|n| line.replace("%d", &n.to_string())).collect();
        return vec![text(&case["sbpl_generator"]["head"]) + &lines];
    }
    case["sbpl"].as_str().map(str::to_owned).into_iter().collect()
}

/// Why `text` is not said faithfully; `None` when it is.
fn unfaithful(case: &Value, text: &str) -> Result<Option<String>, Failed> {
    let params: Params = serde_json::from_value(case["params"].clone()).unwrap_or_default();
    let params = (!params.is_empty()).then_some(params);
    let options = EvalOptions { params, ..EvalOptions::default() };
    let evaluated = evaluate(Source::new("case", text.as_bytes()), &MemoryLoader::new(), &options);
    if let Some(expected) = case["expect"]["compile_error"].as_str() {
        let message = evaluated.err().map(|failure| failure.to_string()).unwrap_or_default();
        return Ok((!message.contains(expected)).then_some(format!("the error is {message:?}")));
    }
    // Some name what 14.4 does not have.
    let policy = evaluated.map_err(|failure| failure.to_string())?.policy;
    let compiled = compile(&policy, &Limits::default())?;
    let program = Blob::parse(&compiled.bytes, &Options::default())?.program()?;
    let verified = verify(&program, 0, Some(&compiled.bytes), vocab::default_target())?;
    let said = String::from_utf8_lossy(&verified.draft.text).into_owned();
    let list = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let operation = text.rsplit("(deny ").next().and_then(|rest| rest.split(')').next()).unwrap_or_default();
    if verified.outcome != Outcome::Identical {
        return Ok(Some(format!("{:?}\n{said}", verified.outcome)));
    }
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in list(&case["expect"]["text_has"]) {
        // Several operations with one answer are one rule: the operation is named somewhere in it.
        let part = part.replace("OPERATION", operation);
        let name = part.trim_start_matches("(deny ").trim_start_matches("(allow ").trim_end_matches(')');
        if !words.contains(&part) && !words.contains(&format!(" {name}")) {
            return Ok(Some(format!("{part} is missing in\n{said}")));
        }
    }
    let invented = list(&case["forbid"]["text_has"]).into_iter().find(|part| words.contains(part.as_str()));
    Ok(invented.map(|part| format!("{part} is invented in\n{said}")))
}

/// The faithfulness cases that are about the compiler at hand.
fn faithfulness(path: &Path) -> Result<(), Failed> {
    let file: Value = serde_json::from_slice(&read(path)?)?;
    let (mut right, mut total) = (0, 0);
    for case in file["cases"].as_array().into_iter().flatten() {
        let mut texts = texts(case);
        // An operation that 14.4 does not have makes no text.
        let known = |text: &String| {
            evaluate(Source::new("case", text.as_bytes()), &MemoryLoader::new(), &EvalOptions::default())
        };
        if case.get("operations").is_some() {
            texts.retain(|text| known(text).is_ok());
        }
        for text in texts {
            total += 1;
            match unfaithful(case, &text) {
                Ok(None) => right += 1,
                Ok(Some(problem)) => println!("{}: {problem}", case["id"]),
                Err(error) => println!("{}: {}", case["id"], error.message().unwrap_or_default()),
            }
        }
    }
    counts::check("decompile: faithfulness cases", right, total)
}
