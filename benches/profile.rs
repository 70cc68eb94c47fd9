//! Evaluating whole profiles.
//!
//! The limit is printed first; `SBPL_SHARED` names the folder with the profiles.

// A benchmark prints, and cannot go on without its data.
#![allow(clippy::print_stdout, clippy::expect_used, missing_docs)]

use std::path::PathBuf;

use divan::{Bencher, black_box};
use sbpl::diag::Source;
use sbpl::policy::print;
use sbpl::profile::{EvalOptions, ImportError, ImportRequest, Loader, MemoryLoader, Params, evaluate};
use sbpl::vocab;

fn main() {
    println!("limit: parse and evaluate application.sb with its imports: 10 ms");
    if folder().is_none() {
        println!("left out: SBPL_SHARED is not set");
        return;
    }
    divan::main();
}

fn folder() -> Option<PathBuf> {
    std::env::var_os("SBPL_SHARED").map(|folder| PathBuf::from(folder).join("corpus/macos-10.15"))
}

fn read(name: &str) -> Vec<u8> {
    let folder = folder().expect("main looked");
    std::fs::read(folder.join(name)).expect("the profile is in the folder")
}

/// The imported files, read beforehand.
struct Files(MemoryLoader);

impl Loader for Files {
    fn load(&self, request: &ImportRequest, limit: u64) -> Result<Source, ImportError> {
        self.0.load(request, limit)
    }
}

fn options() -> EvalOptions {
    let all: serde_json::Value =
        serde_json::from_str(include_str!("../tests/shared/parameters.json")).expect("it is JSON");
    let params: Params = serde_json::from_value(all["defaults"].clone()).expect("they are strings");
    let entitlements = serde_json::from_str(include_str!("../tests/shared/application-entitlements.json"));
    EvalOptions {
        target: vocab::target("macos-10.15").expect("the target is known"),
        params: Some(params),
        entitlements: Some(entitlements.expect("it is a JSON object")),
        ..EvalOptions::default()
    }
}

fn files() -> Files {
    let names = ["system.sb", "com.apple.corefoundation.sb", "opendirectory.sb"];
    Files(names.into_iter().fold(MemoryLoader::new(), |files, name| files.with(name, read(name))))
}

#[divan::bench]
fn application(bencher: Bencher<'_, '_>) {
    let (source, files, options) = (Source::new("application.sb", read("application.sb")), files(), options());
    bencher.bench(|| evaluate(black_box(source.clone()), &files, &options).expect("it evaluates"));
}

#[divan::bench]
fn smallest(bencher: Bencher<'_, '_>) {
    let options = EvalOptions::default();
    let source = Source::new("smallest", &b"(version 1)(deny default)"[..]);
    bencher.bench(|| evaluate(black_box(source.clone()), &MemoryLoader::new(), &options).expect("it evaluates"));
}

#[divan::bench]
fn print_application(bencher: Bencher<'_, '_>) {
    let source = Source::new("application.sb", read("application.sb"));
    let evaluation = evaluate(source, &files(), &options()).expect("it evaluates");
    bencher.bench(|| print::policy(black_box(&evaluation.policy), true));
}
