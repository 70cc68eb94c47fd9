//! Decisions and the semantic diff.
//!
//! The baseline is the same policy's 250 string tests tried one by one for the same request; `benches/peer` has Cedar and the
//! `regex` crate beside it. Each limit stands in the name of what it limits. `SBPL_SHARED` names the folder with the profiles that
//! some need.

// A benchmark's data is its own.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use divan::Bencher;
use sbpl::decide::coverage::never_decides;
use sbpl::decide::{Budget, Engine, Request, World};
use sbpl::diag::Source;
use sbpl::diff::semantic::{Change, Comparison, Side};
use sbpl::pattern::{Pattern, PatternKind, Variables};
use sbpl::policy::Policy;
use sbpl::profile::{EvalOptions, MemoryLoader, NoImports, Params, evaluate};
use sbpl::{shim, vocab};

fn main() {
    match shared() {
        Some(folder) => golden_pairs(&folder),
        None => println!("left out: SBPL_SHARED is not set"),
    }
    divan::main();
}

fn shared() -> Option<PathBuf> {
    std::env::var_os("SBPL_SHARED").map(PathBuf::from)
}

fn evaluated(name: &str, text: Vec<u8>, options: &EvalOptions) -> Option<Policy> {
    Some(evaluate(Source::new(name, text), &NoImports, options).ok()?.policy)
}

/// How many operations differ, and about how many nothing was decided.
fn changes(a: &Policy, b: &Policy) -> (usize, usize) {
    let mut comparison = Comparison::new(Side::Policy(a), Side::Policy(b), Budget::default()).unwrap();
    let changes = comparison.changes();
    let undecided = changes.iter().filter(|(_, change)| matches!(change, Change::Undecided(_))).count();
    let equal = changes.iter().filter(|(_, change)| *change == Change::Equal).count();
    (changes.len() - equal - undecided, undecided)
}

/// What any two golden profiles may take.
const PAIR_LIMIT: Duration = Duration::from_millis(10);

/// Compares every two golden profiles and prints which two took longest. A pair beyond the limit is tried again, up to three times
/// in all, and its best time counts: a busy machine stops a few of ten thousand for longer than they take.
fn golden_pairs(shared: &Path) {
    let folder = shared.join("golden/macos-14.4");
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let mut policies = Vec::new();
    for case in manifest["cases"].as_array().unwrap() {
        let (Some(name), Some(source)) = (case["name"].as_str(), case["source"].as_str()) else { continue };
        let params = Some(serde_json::from_value(case["params"].clone()).unwrap_or_default());
        let text = std::fs::read(folder.join(source)).unwrap();
        let policy = evaluated(name, text, &EvalOptions { params, ..EvalOptions::default() });
        policies.extend(policy.map(|policy| (name, policy)));
    }
    let (mut pairs, mut open, mut all, mut longest) = (0, 0, Duration::ZERO, (Duration::ZERO, "", ""));
    for (number, (a, one)) in policies.iter().enumerate() {
        for (b, other) in &policies[number..] {
            let mut best = Duration::MAX;
            let mut is_open = false;
            for _ in 0..3 {
                let started = Instant::now();
                let (_, undecided) = black_box(changes(one, other));
                best = best.min(started.elapsed());
                is_open = undecided > 0;
                if best <= PAIR_LIMIT {
                    break;
                }
            }
            open += usize::from(is_open);
            all += best;
            longest = longest.max((best, a, b));
            pairs += 1;
        }
    }
    let (time, a, b) = longest;
    let each = all / pairs;
    println!(
        "{pairs} pairs of golden profiles: {each:?} each, at most {time:?} ({a}, {b}), limit {PAIR_LIMIT:?}; {open} not decided"
    );
}

/// The largest system profile and the same with the base shim's rules, all operations.
#[divan::bench(name = "application_shimmed, limit 1 s", sample_count = 10)]
fn application_shimmed(bencher: Bencher<'_, '_>) {
    let Some(shared) = shared() else { return };
    let text = std::fs::read(shared.join("corpus/macos-10.15/application.sb")).unwrap();
    let params: serde_json::Value = serde_json::from_str(include_str!("../tests/shared/parameters.json")).unwrap();
    let mut all: Params = serde_json::from_value(params["defaults"].clone()).unwrap();
    let own = params["profiles"]["macos-10.15/application.sb"].clone();
    all.extend(serde_json::from_value::<Params>(own).unwrap_or_default());
    let entitlements = serde_json::from_str(include_str!("../tests/shared/application-entitlements.json")).unwrap();
    let options = EvalOptions {
        target: vocab::target("macos-10.15").unwrap(),
        params: Some(all),
        entitlements: Some(entitlements),
        ..EvalOptions::default()
    };
    let system = std::fs::read(shared.join("corpus/macos-10.15/system.sb")).unwrap();
    let loader = MemoryLoader::new().with("system.sb", system);
    let shimmed = shim::apply(shim::built_in("runtime-base").unwrap(), text.clone(), None).unwrap().text;
    let policy = |text: Vec<u8>| evaluate(Source::new("application.sb", text), &loader, &options).unwrap().policy;
    let (a, b) = (policy(text), policy(shimmed));
    assert_eq!(changes(&a, &b).1, 0, "every operation is decided");
    bencher.bench_local(|| changes(black_box(&a), black_box(&b)));
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
#[divan::bench(name = "decide, limit 1 us", args = PATHS)]
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
#[divan::bench(name = "index_and_ten_thousand, limit 50 ms", sample_count = 10)]
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
