//! How fast texts are read, beside a plain scan for the same bytes in the same run.
//!
//! `synthetic` is text of our own, shaped like shipped profiles; `corpus` is every profile under `$SBPL_SHARED/corpus` and
//! runs when that is set. Throughput is of input bytes.
//!
//! ```text
//! SBPL_SHARED=… cargo bench --bench syntax
//! ```

// A benchmark may panic when its input is missing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::{Arc, OnceLock};

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use sbpl::syntax::format::{Style, format};
use sbpl::syntax::{SyntaxLimits, lex, parse};

fn main() {
    divan::main();
}

const TEXTS: [&str; 2] = ["synthetic", "corpus"];

fn texts(name: &str) -> &'static [Arc<[u8]>] {
    static SYNTHETIC: OnceLock<Vec<Arc<[u8]>>> = OnceLock::new();
    static CORPUS: OnceLock<Vec<Arc<[u8]>>> = OnceLock::new();
    match name {
        "synthetic" => SYNTHETIC.get_or_init(|| (0..200).map(synthetic).collect()),
        _ => CORPUS.get_or_init(|| match std::env::var_os("SBPL_SHARED") {
            Some(shared) => corpus(&Path::new(&shared).join("corpus")),
            None => Vec::new(),
        }),
    }
}

/// A profile of about 6 KB: comments, rules with a filter a line, strings and raw strings, some Scheme.
fn synthetic(seed: usize) -> Arc<[u8]> {
    let mut out = String::from(
        ";;\n;; A daemon of ours - sandbox profile\n;; Written for a benchmark.\n;;\n(version 1)\n\n(deny default)\n(import \"system.sb\")\n\n",
    );
    for part in 0..16 {
        let number = seed * 31 + part;
        out += &format!(
            "(define (home-{number} name)\n  (subpath (string-append (param \"HOME\") \"/Library/\" name)))\n\n"
        );
        out += "(allow file-read* file-write*\n";
        for name in ["Caches", "Preferences", "Application Support"] {
            out += &format!("       (subpath \"/Users/someone/Library/{name}/com.example.agent-{number}\")\n");
        }
        out += &format!("       (regex #\"^/private/var/folders/[^/]+/[^/]+/T/agent-{number}($|/)\"))\n\n");
        out += &format!(
            "; Services the agent talks to.\n(allow mach-lookup\n       (global-name \"com.example.service-{number}\")\n       (global-name \"com.example.other.{number}\"))\n\n"
        );
    }
    out.into_bytes().into()
}

fn corpus(folder: &Path) -> Vec<Arc<[u8]>> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts.extend(corpus(&path));
        } else if path.extension().is_some_and(|extension| extension == "sb") {
            texts.push(std::fs::read(path).unwrap().into());
        }
    }
    texts
}

/// Runs `work` over all texts; `bench` counts their bytes.
fn over_all(bencher: Bencher<'_, '_>, name: &str, mut work: impl FnMut(&Arc<[u8]>)) {
    let texts = texts(name);
    let bytes: usize = texts.iter().map(|text| text.len()).sum();
    bencher.counter(BytesCount::new(bytes)).bench_local(|| texts.iter().for_each(&mut work));
}

/// The measure of what is possible: only find the bytes that give the text its structure.
#[divan::bench(args = TEXTS)]
fn scan_memchr3(bencher: Bencher<'_, '_>, name: &str) {
    over_all(bencher, name, |text| {
        black_box(memchr::memchr3_iter(b'(', b')', b'"', text).count());
    });
}

#[divan::bench(name = "lex", args = TEXTS)]
fn tokens(bencher: Bencher<'_, '_>, name: &str) {
    over_all(bencher, name, |text| {
        black_box(lex(text));
    });
}

/// Lossless tree and all errors.
#[divan::bench(args = TEXTS)]
fn parse_to_tree(bencher: Bencher<'_, '_>, name: &str) {
    over_all(bencher, name, |text| {
        black_box(parse(Arc::clone(text), &SyntaxLimits::default()));
    });
}

/// Read, format, read again, format again.
#[divan::bench(args = TEXTS)]
fn format_twice(bencher: Bencher<'_, '_>, name: &str) {
    let format_once = |text: Arc<[u8]>| format(&parse(text, &SyntaxLimits::default()), Style::default());
    over_all(bencher, name, |text| {
        let once = format_once(Arc::clone(text)).unwrap_or_default();
        black_box(format_once(once.into()));
    });
}
