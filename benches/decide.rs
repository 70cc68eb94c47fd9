//! Decisions and the semantic diff.
//!
//! The baseline is the same policy's 250 string tests tried one by one for the same request.

// A benchmark's data is its own.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;

use divan::Bencher;
use sbpl::decide::coverage::never_decides;
use sbpl::decide::{Budget, Engine, Request, World};
use sbpl::diag::Source;
use sbpl::diff::semantic::{Comparison, Side};
use sbpl::pattern::{Pattern, PatternKind, Variables};
use sbpl::policy::Policy;
use sbpl::profile::{EvalOptions, NoImports, evaluate};

fn main() {
    divan::main();
}

/// 250 rules on reading: literals, subpaths and regexes, allow and deny in turn.
fn text(rules: usize) -> String {
    let mut text = "(version 1)\n(deny default)\n".to_owned();
    for number in 0..rules {
        let action = if number % 3 == 0 { "deny" } else { "allow" };
        let filter = match number % 5 {
            0 => format!("(regex #\"^/private/var/folders/[^/]+/[^/]+/{number}(/|$)\")"),
            1 => format!("(literal \"/private/etc/file{number}\")"),
            2 => format!("(subpath \"/Users/me/Library/Caches/app{number}\")"),
            3 => format!("(require-all (subpath \"/Users/me/work{number}\") (vnode-type REGULAR-FILE))"),
            _ => format!("(subpath \"/System/Library/Frameworks/Part{number}.framework\")"),
        };
        text.push_str(&format!("({action} file-read* {filter})\n"));
    }
    text
}

fn policy(rules: usize) -> Policy {
    evaluate(Source::new("bench.sb", text(rules).into_bytes()), &NoImports, &EvalOptions::default()).unwrap().policy
}

const PATHS: &[&str] = &[
    "/Users/me/Library/Caches/app2/index.db",
    "/private/var/folders/ab/cdefgh/10/T/x",
    "/System/Library/Frameworks/Part249.framework/Resources/Info.plist",
    "/usr/lib/libSystem.B.dylib",
];

fn request(policy: &Policy, path: &str) -> Request {
    let mut request = Request::new(policy.target().operation_named("file-read-data").unwrap()).with_path(path);
    request.closed = true;
    request
}

/// One decision of a 250-rule policy.
#[divan::bench(args = PATHS)]
fn decide(bencher: Bencher<'_, '_>, path: &str) {
    let policy = policy(250);
    let request = request(&policy, path);
    let engine = Engine::new(policy);
    bencher.bench_local(|| black_box(engine.decide(black_box(&request)).answer));
}

/// The same with the walk through the world.
#[divan::bench]
fn decide_path(bencher: Bencher<'_, '_>) {
    let policy = policy(250);
    let request = request(&policy, "/");
    let engine = Engine::new(policy);
    let world = World::macos_14();
    bencher.bench_local(|| {
        black_box(engine.decide_path(&request, b"/tmp/../var/folders/x", &world, None).unwrap().answer)
    });
}

/// 250 regexes and other patterns tried one by one: what an evaluator without index does.
#[divan::bench(args = PATHS)]
fn one_by_one(bencher: Bencher<'_, '_>, path: &str) {
    let patterns: Vec<Pattern> = (0..250)
        .map(|number| {
            let regex = format!("^/private/var/folders/[^/]+/[^/]+/{number}(/|$)");
            Pattern::new(PatternKind::Regex, regex, false).unwrap()
        })
        .collect();
    bencher
        .bench_local(|| patterns.iter().filter(|pattern| pattern.matches(path.as_bytes(), &Variables::none())).count());
}

/// Ten thousand decisions, the engine included.
#[divan::bench(sample_count = 10)]
fn index_and_ten_thousand(bencher: Bencher<'_, '_>) {
    let policy = policy(250);
    let requests: Vec<Request> =
        (0..10_000).map(|number| request(&policy, &format!("{}{number}", PATHS[number % PATHS.len()]))).collect();
    bencher.bench_local(|| {
        let engine = Engine::new(policy.clone());
        requests.iter().filter(|request| engine.decide(request).answer == sbpl::decide::Answer::Allow).count()
    });
}

/// All operations of a 250-rule policy and the same with one more rule.
#[divan::bench(sample_count = 10)]
fn semantic_diff(bencher: Bencher<'_, '_>) {
    let (a, b) = (policy(250), policy(251));
    bencher.bench_local(|| {
        let mut comparison = Comparison::new(Side::Policy(&a), Side::Policy(&b), Budget::default()).unwrap();
        comparison.changes().len()
    });
}

/// Proving which of 250 rules never decide.
#[divan::bench(sample_count = 5)]
fn coverage(bencher: Bencher<'_, '_>) {
    let policy = policy(250);
    bencher.bench_local(|| never_decides(&policy, Budget::default()).len());
}
