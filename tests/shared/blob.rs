//! Whole compiled profiles: they link, and writing them again gives the same bytes.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use sbpl::blob::{Blob, Mode, Options, decode, encode, validate};

use crate::counts;

pub(crate) fn trials(folder: PathBuf) -> Vec<Trial> {
    let blobs = folder.join("golden/blobs");
    let cases = folder.join("golden/macos-14.4/cases");
    let (valid_blobs, valid_cases, listed, dumped) = (blobs.clone(), cases.clone(), blobs.clone(), blobs.clone());
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
