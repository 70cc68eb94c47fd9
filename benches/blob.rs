//! Reading, linking and writing whole compiled profiles, and saying them as text.
//!
//! The limits are printed first; `SBPL_SHARED` names the folder with the blobs.

// A benchmark prints, and cannot go on without its data.
#![allow(clippy::print_stdout, clippy::expect_used, missing_docs)]

use std::path::PathBuf;

use divan::{Bencher, black_box};
use sbpl::blob::{Blob, Mode, Options, Roots, encode, validate};
use sbpl::compile::decompile::{Choices, decompile};
use sbpl::vocab;

/// The blobs and the limit for parsing and linking each, in milliseconds.
const BLOBS: [(&str, f64); 3] =
    [("ios-13-collection.bin", 2.0), ("ios-17-platform.bin", 2.0), ("ios-17-collection.bin", 2.0)];

fn main() {
    for (name, limit) in BLOBS {
        println!("limit: parse_and_link {name}: {limit} ms");
    }
    if folder().is_none() {
        println!("left out: SBPL_SHARED is not set");
        return;
    }
    divan::main();
}

fn folder() -> Option<PathBuf> {
    std::env::var_os("SBPL_SHARED").map(|folder| PathBuf::from(folder).join("golden/blobs"))
}

fn read(name: &str) -> Vec<u8> {
    let folder = folder().expect("main looked");
    std::fs::read(folder.join(name)).expect("the blob is in the folder")
}

fn names() -> impl Iterator<Item = &'static str> {
    BLOBS.iter().map(|(name, _)| *name)
}

#[divan::bench(args = names())]
fn parse_and_link(bencher: Bencher<'_, '_>, name: &str) {
    let bytes = read(name);
    bencher.bench(|| {
        let blob = Blob::parse(black_box(&bytes), &Options::default()).expect("it is a blob");
        blob.link().map(|program| program.nodes.len())
    });
}

/// With patterns as trees and regexes as expressions.
#[divan::bench(args = names())]
fn parse_to_program(bencher: Bencher<'_, '_>, name: &str) {
    let bytes = read(name);
    bencher.bench(|| Blob::parse(black_box(&bytes), &Options::default()).and_then(|blob| blob.program()));
}

#[divan::bench(args = names())]
fn write(bencher: Bencher<'_, '_>, name: &str) {
    let bytes = read(name);
    let program = Blob::parse(&bytes, &Options::default()).and_then(|blob| blob.program()).expect("it links");
    bencher.bench(|| encode(black_box(&program)));
}

#[divan::bench(args = names())]
fn validate_strictly(bencher: Bencher<'_, '_>, name: &str) {
    let bytes = read(name);
    bencher.bench(|| validate(black_box(&bytes), &Options::default(), Mode::Strict));
}

/// Every profile of a collection as text.
#[divan::bench(
    name = "decompile the 218 profiles of ios-13-collection.bin, limit 5 s",
    sample_count = 3,
    sample_size = 1
)]
fn decompile_collection(bencher: Bencher<'_, '_>) {
    let bytes = read("ios-13-collection.bin");
    let blob = Blob::parse(&bytes, &Options::default()).expect("it is a blob");
    let target = vocab::target(blob.header().generation.target()).expect("every generation has names");
    let program = blob.program().expect("it links");
    let Roots::Collection { profiles, .. } = &program.roots else { return };
    bencher.bench(|| {
        let text = |number| decompile(black_box(&program), number, target, &Choices::default()).map(|draft| draft.text);
        (0..profiles.len()).map(|number| text(number).map_or(0, |text| text.len())).sum::<usize>()
    });
}
