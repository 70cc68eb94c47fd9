//! Reading and linting whole corpora.
//!
//! The limits are printed first; `SBPL_SHARED` names the folder with the profiles.

// A benchmark prints, and cannot go on without its data.
#![allow(clippy::print_stdout, clippy::expect_used, missing_docs)]

use std::path::PathBuf;
use std::sync::Arc;

use divan::{Bencher, black_box};
use sbpl::diag::SourceId;
use sbpl::lint::{Config, Input, Parameters, lint};
use sbpl::syntax::{SyntaxLimits, parse};
use sbpl::vocab;

fn main() {
    println!("limit: parse_and_lint (242 profiles, default rules): 60 ms");
    if std::env::var_os("SBPL_SHARED").is_none() {
        println!("left out: SBPL_SHARED is not set");
        return;
    }
    divan::main();
}

fn profiles() -> Vec<Arc<[u8]>> {
    let folder = PathBuf::from(std::env::var_os("SBPL_SHARED").expect("main looked")).join("corpus");
    let mut texts = Vec::new();
    for corpus in ["modern", "macos-10.15"] {
        for entry in std::fs::read_dir(folder.join(corpus)).expect("the corpus is in the folder") {
            let path = entry.expect("the folder can be read").path();
            if path.to_string_lossy().contains(".sb") {
                texts.push(std::fs::read(path).expect("the profile can be read").into());
            }
        }
    }
    texts
}

fn run(bencher: Bencher<'_, '_>, config: &Config) {
    let (texts, target, parameters) = (profiles(), vocab::default_target(), Parameters::new());
    bencher.bench(|| {
        let findings = texts.iter().map(|text| {
            let parsed = parse(Arc::clone(black_box(text)), &SyntaxLimits::default());
            let input =
                Input { tree: &parsed.tree, source: SourceId(0), target, parameters: &parameters, policy: None };
            lint(input, config).len()
        });
        findings.sum::<usize>()
    });
}

#[divan::bench]
fn parse_and_lint(bencher: Bencher<'_, '_>) {
    run(bencher, &Config::default());
}

#[divan::bench]
fn parse_and_lint_all_rules(bencher: Bencher<'_, '_>) {
    let mut config = Config::default();
    config.select(["all"]).expect("`all` is a selector");
    run(bencher, &config);
}
