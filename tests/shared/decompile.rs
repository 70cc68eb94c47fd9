//! Blobs to text and back: every recorded blob, and the large profiles of other systems.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use sbpl::blob::{Blob, Options, Program, Roots};
use sbpl::compile::decompile::{Outcome, verify};
use sbpl::decide::Budget;
use sbpl::diff::semantic::{Change, Comparison, Side};
use sbpl::vocab;

use crate::counts;

pub(crate) fn trials(shared: PathBuf) -> Vec<Trial> {
    let golden_folder = shared.join("golden/macos-14.4");
    let mut trials = vec![Trial::test("decompile::golden", move || golden(&golden_folder))];
    for file in BLOBS {
        let path = shared.join("golden/blobs").join(file);
        trials.push(Trial::test(format!("decompile::{file}"), move || whole(&path)));
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
    let manifest: serde_json::Value = serde_json::from_slice(&read(&folder.join("manifest.json"))?)?;
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

/// What became of the profiles of one file.
#[derive(Default)]
struct Tally {
    /// Everything is said.
    said: usize,
    /// The text compiles.
    compiles: usize,
    /// Every operation decides the same.
    decides: usize,
    /// Every operation has the same graph.
    programs: usize,
    bytes: usize,
    /// Operations, and those that decide the same.
    operations: usize,
    same_operations: usize,
}

/// Profiles of another system: how far they come back.
fn whole(path: &Path) -> Result<(), Failed> {
    let bytes = read(path)?;
    let blob = Blob::parse(&bytes, &Options::default())?;
    let target = vocab::target(blob.header().generation.target())?;
    let program = blob.program()?;
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let mut tally = Tally::default();
    let profiles = profiles(&program);
    let mut lines = Vec::new();
    let (mut verifying, mut comparing) = (Duration::ZERO, Duration::ZERO);
    for (number, profile) in profiles.iter().enumerate() {
        let profile = profile.as_deref();
        let single = profile.is_none().then_some(bytes.as_slice());
        let started = Instant::now();
        let verified = verify(&program, number, single, target)?;
        verifying += started.elapsed();
        if let Some(folder) = std::env::var_os("DECOMPILED") {
            let file =
                Path::new(&folder).join(format!("{name}.{}.sb", profile.unwrap_or("platform").replace('/', "_")));
            let _ = std::fs::write(file, &verified.draft.text);
        }
        let mut line = profile.unwrap_or(name).to_owned();
        tally.said += usize::from(verified.draft.lost.is_empty());
        if !verified.draft.lost.is_empty() {
            line += &format!("; not said: {:?}", verified.draft.lost);
        }
        match &verified.outcome {
            Outcome::Fails(message) => line += &format!("; does not compile: {message}"),
            _ => tally.compiles += 1,
        }
        tally.bytes += usize::from(verified.outcome == Outcome::Identical);
        tally.programs += usize::from(matches!(verified.outcome, Outcome::Identical | Outcome::SamePrograms { .. }));
        let operations = target.op_table_len();
        tally.operations += operations;
        if let Some(policy) = &verified.policy {
            let started = Instant::now();
            let sides = [Side::Program(&program, profile), Side::Policy(policy)];
            let changes = Comparison::new(sides[0], sides[1], Budget::default())?.changes();
            comparing += started.elapsed();
            let differing: Vec<String> = changes
                .iter()
                .filter(|(_, change)| *change != Change::Equal)
                .map(|(operation, change)| format!("{} {change:?}", target.operation(*operation).name))
                .collect();
            tally.same_operations += operations - differing.len();
            tally.decides += usize::from(differing.is_empty());
            if !differing.is_empty() {
                line += &format!("; decides otherwise: {}", differing.join(", "));
            }
        }
        if line != profile.unwrap_or(name) {
            lines.push(line);
        }
    }
    for line in &lines {
        println!("{line}");
    }
    println!("{name}: decompiled and compiled in {verifying:?}, compared in {comparing:?}");
    let total = profiles.len();
    counts::check(&format!("decompile {name}: profiles said completely"), tally.said, total)?;
    counts::check(&format!("decompile {name}: profiles that compile again"), tally.compiles, total)?;
    counts::check(&format!("decompile {name}: profiles that decide the same"), tally.decides, total)?;
    let same = format!("decompile {name}: operations that decide the same");
    counts::check(&same, tally.same_operations, tally.operations)?;
    counts::check(&format!("decompile {name}: profiles with the same graphs"), tally.programs, total)?;
    counts::check(&format!("decompile {name}: profiles with the same bytes"), tally.bytes, total)
}
