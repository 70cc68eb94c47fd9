//! Compiling evaluated profiles: the largest of the built-in table, and one as large as an application's.

// A benchmark cannot go on when its input is wrong.
#![allow(clippy::expect_used, missing_docs)]

use std::fmt::Write;

use divan::{Bencher, black_box};
use sbpl::blob::{Blob, Options};
use sbpl::compile::decompile::{Choices, decompile};
use sbpl::compile::{Limits, compile, golden};
use sbpl::diag::Source;
use sbpl::policy::Policy;
use sbpl::profile::{EvalOptions, NoImports, evaluate};
use sbpl::vocab::default_target;

fn main() {
    divan::main();
}

fn policy(text: &str) -> Policy {
    let source = Source::new("bench", text.as_bytes());
    evaluate(source, &NoImports, &EvalOptions::default()).expect("a good profile").policy
}

/// The built-in profile with the largest blob.
fn built_in() -> Policy {
    let fact = golden::facts().iter().filter(|fact| fact.params.is_empty()).max_by_key(|fact| fact.size);
    policy(fact.expect("the table is not empty").text)
}

/// Some 1100 rules with paths, names, conjunctions and exceptions.
fn large() -> Policy {
    let mut text = "(version 1)\n(deny default)\n".to_owned();
    for n in 0..300 {
        let action = if i32::rem_euclid(n, 7) == 0 { "deny" } else { "allow" };
        let _ = writeln!(text, "({action} file-read* (subpath \"/Library/Application Support/part{n}\"))");
        let _ = writeln!(text, "(allow mach-lookup (global-name \"com.example.service{n}\"))");
        let _ =
            writeln!(text, "(allow file-write* (require-all (literal \"/var/db/item{n}\") (vnode-type REGULAR-FILE)))");
        if i32::rem_euclid(n, 3) == 0 {
            let _ = writeln!(text, "(deny file-read-data (regex #\"^/private/cache{n}/[0-9]+/x$\"))");
            let _ = writeln!(text, "(allow iokit-open* (iokit-registry-entry-class \"Class{n}\"))");
        }
    }
    policy(&text)
}

#[divan::bench]
fn compile_built_in(bencher: Bencher<'_, '_>) {
    let policy = built_in();
    bencher.bench(|| compile(black_box(&policy), &Limits::default()));
}

#[divan::bench]
fn compile_large(bencher: Bencher<'_, '_>) {
    let policy = large();
    bencher.bench(|| compile(black_box(&policy), &Limits::default()));
}

#[divan::bench]
fn decompile_large(bencher: Bencher<'_, '_>) {
    let bytes = compile(&large(), &Limits::default()).expect("it compiles").bytes;
    let blob = Blob::parse(&bytes, &Options::default()).expect("a blob");
    let program = blob.program().expect("a good blob");
    bencher.bench(|| decompile(black_box(&program), 0, default_target(), &Choices::default()));
}
