//! Whole compiled profiles: they link, and writing them again gives the same bytes.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use sbpl::blob::{Blob, Options, encode};

use crate::counts;

pub(crate) fn trials(folder: PathBuf) -> Vec<Trial> {
    let blobs = folder.join("golden/blobs");
    let cases = folder.join("golden/macos-14.4/cases");
    vec![
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
