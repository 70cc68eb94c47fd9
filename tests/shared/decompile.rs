//! Blobs to text and back: every recorded blob, and the large profiles of other systems.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use sbpl::blob::{Blob, Options};
use sbpl::compile::decompile::{Outcome, verify};
use sbpl::vocab;

use crate::counts;

pub(crate) fn trials(shared: PathBuf) -> Vec<Trial> {
    let golden_folder = shared.join("golden/macos-14.4");
    vec![Trial::test("decompile::golden", move || golden(&golden_folder))]
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
