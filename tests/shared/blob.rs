//! Whole compiled profiles: they link, and writing them again gives the same bytes.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use sbpl::blob::{Blob, Mode, Options, decode, encode, validate};

use crate::counts;

pub(crate) fn trials(folder: PathBuf) -> Vec<Trial> {
    let blobs = folder.join("golden/blobs");
    let cases = folder.join("golden/macos-14.4/cases");
    let (valid_blobs, valid_cases, listed) = (blobs.clone(), cases.clone(), blobs.clone());
    let (dumped, damaged, asked) = (blobs.clone(), blobs.clone(), blobs.clone());
    vec![
        Trial::test("blob: whole blobs pass every check", move || {
            let files = files(&valid_blobs, "bin")?;
            let right = files.iter().filter(|path| std::fs::read(path).is_ok_and(|bytes| valid(path, &bytes))).count();
            counts::check("blob/whole blobs valid", right, files.len())
        }),
        Trial::test("blob: golden cases pass every check", move || {
            let files = files(&valid_cases, "hex")?;
            let right = files.iter().filter(|path| read_hex(path).is_some_and(|bytes| valid(path, &bytes))).count();
            counts::check("blob/golden cases valid", right, files.len())
        }),
        Trial::test("blob: collections list their profiles", move || {
            // Numbers of spec/blob-format.md section 0.
            for (name, count) in [("ios-13-collection.bin", 218), ("ios-17-collection.bin", 573)] {
                let bytes = std::fs::read(listed.join(name))?;
                let decoded = decode(&bytes, &Options::default()).map_err(|error| error.to_string())?;
                let names = decoded.profile_names();
                if names.len() != count || names.iter().any(|name| name.is_empty()) {
                    return Err(format!("{name}: {} profiles", names.len()).into());
                }
            }
            Ok(())
        }),
        Trial::test("blob: damaged whole blobs are survived", move || {
            for path in files(&damaged, "bin")? {
                let bytes = std::fs::read(&path)?;
                (0..DAMAGES).for_each(|seed| survive(&damage(&bytes, seed)));
            }
            Ok(())
        }),
        Trial::test("blob: dumps speak of every byte once", move || {
            for path in files(&dumped, "bin")? {
                let bytes = std::fs::read(&path)?;
                let blob = Blob::parse(&bytes, &Options::default()).map_err(|error| error.to_string())?;
                let (mut at, mut gaps) = (0, 0);
                blob.dump(|row| {
                    gaps += usize::from(row.offset != at);
                    at = row.offset + row.length;
                });
                if (at, gaps) != (bytes.len(), 0) {
                    return Err(format!("{}: ends at {at} with {gaps} gaps", path.display()).into());
                }
            }
            Ok(())
        }),
        Trial::test("blob: a platform profile is equal to itself, whatever asks", move || {
            let path = asked.join("ios-17-platform.bin");
            for question in [["--mode", "semantic"], ["--check", "equal"], ["--check", "implies"]] {
                let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sbpl"));
                let status = command.arg("diff").args([&path, &path]).args(question).output()?.status;
                // No diagram holds the profile: 3 is the answer of who has only diagrams.
                if status.code() != Some(0) {
                    return Err(format!("{question:?}: {status}").into());
                }
            }
            Ok(())
        }),
        Trial::test("blob: whole blobs are written again byte for byte", move || {
            let files = files(&blobs, "bin")?;
            let right =
                files.iter().filter(|path| std::fs::read(path).is_ok_and(|bytes| same_again(path, &bytes))).count();
            counts::check("blob/whole blobs re-encoded", right, files.len())
        }),
        Trial::test("blob: golden cases are written again byte for byte", move || {
            let files = files(&cases, "hex")?;
            let right =
                files.iter().filter(|path| read_hex(path).is_some_and(|bytes| same_again(path, &bytes))).count();
            counts::check("blob/golden cases re-encoded", right, files.len())
        }),
    ]
}

/// The files of `folder` with this extension, by name.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, Failed> {
    let mut files = std::fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect::<Vec<_>>();
    files.sort();
    Ok(files)
}

fn read_hex(path: &Path) -> Option<Vec<u8>> {
    let text = std::fs::read_to_string(path).ok()?;
    let text = text.trim();
    (0..text.len() / 2).map(|at| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()).collect()
}

fn valid(path: &Path, bytes: &[u8]) -> bool {
    match validate(bytes, &Options::default(), Mode::Strict) {
        Ok(report) => {
            report.findings.iter().for_each(|finding| println!("{}: {finding:?}", path.display()));
            report.valid
        }
        Err(error) => {
            println!("{}: {error}", path.display());
            false
        }
    }
}

/// Damaged copies of each blob.
const DAMAGES: u64 = 8;

/// `bytes` with some changed, at places and to values that `seed` decides; every fourth copy is cut too.
fn damage(bytes: &[u8], seed: u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    // A linear congruential generator: the same damage on every run.
    let mut state = seed;
    let mut next = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or(0) % limit
    };
    for _ in 0..=next(40) {
        let at = next(bytes.len());
        bytes[at] = u8::try_from(next(256)).unwrap_or(0);
    }
    if seed % 4 == 3 {
        bytes.truncate(next(bytes.len()));
    }
    bytes
}

fn survive(bytes: &[u8]) {
    let options = Options::default();
    let linked = Blob::parse(bytes, &options).and_then(|blob| {
        blob.dump(drop);
        blob.link().map(drop)
    });
    let valid = validate(bytes, &options, Mode::Permissive).is_ok_and(|report| report.valid);
    assert!(!valid || linked.is_ok(), "valid, but it does not link: {linked:?}");
    if let Ok(decoded) = decode(bytes, &options) {
        // Writing may refuse what reading accepts; it must not panic.
        let _ = encode(&decoded.program);
    }
}

fn same_again(path: &Path, bytes: &[u8]) -> bool {
    let again = Blob::parse(bytes, &Options::default())
        .and_then(|blob| blob.program())
        .map_err(|error| error.to_string())
        .and_then(|program| encode(&program).map_err(|error| error.to_string()));
    match again {
        Ok(again) if again == bytes => true,
        Ok(again) => {
            let first = again.iter().zip(bytes).position(|(a, b)| a != b);
            println!(
                "{}: {} bytes instead of {}, first difference {first:?}",
                path.display(),
                again.len(),
                bytes.len()
            );
            false
        }
        Err(error) => {
            println!("{}: {error}", path.display());
            false
        }
    }
}
