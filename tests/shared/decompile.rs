//! Blobs to text and back: every recorded blob, and the large profiles of other systems.

use std::path::{Path, PathBuf};
use std::time::Instant;

use libtest_mimic::{Failed, Trial};
use sbpl::blob::{Blob, Options, Program, Roots};
use sbpl::compile::decompile::{Choices, Outcome, decompile, verify};
use sbpl::vocab;

use crate::counts;

pub(crate) fn trials(shared: PathBuf) -> Vec<Trial> {
    let golden_folder = shared.join("golden/macos-14.4");
    let mut trials = vec![Trial::test("decompile::golden", move || golden(&golden_folder))];
    for (file, target) in [("ios-17-platform.bin", "macos-14.4"), ("ios-17-collection.bin", "macos-14.4")] {
        let path = shared.join("golden/blobs").join(file);
        trials.push(Trial::test(format!("decompile::{file}"), move || whole(&path, target)));
    }
    trials
}

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

fn profiles(program: &Program) -> usize {
    match &program.roots {
        Roots::Single(_) => 1,
        Roots::Collection { profiles, .. } => profiles.len(),
    }
}

/// Profiles of another system: how many can be said without anything left out.
fn whole(path: &Path, target: &str) -> Result<(), Failed> {
    let bytes = read(path)?;
    let target = vocab::target(target)?;
    let program = Blob::parse(&bytes, &Options::default())?.program()?;
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let started = Instant::now();
    let count = profiles(&program);
    let mut said = 0;
    for profile in 0..count {
        said += usize::from(decompile(&program, profile, target, &Choices::default())?.lost.is_empty());
    }
    println!("{name}: {count} profiles decompiled in {:?}", started.elapsed());
    counts::check(&format!("decompile {name}: profiles said completely"), said, count)
}
