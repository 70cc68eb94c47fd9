//! One decision of a policy of 250 rules: `sbpl`, Cedar's `is_authorized` on the equivalent policy, and 250 regexes tried one
//! by one. All answer the same question about the same paths, which is checked before anything is measured.

// A benchmark's data is its own.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::str::FromStr;

use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, RestrictedExpression};
use divan::Bencher;
use sbpl::decide::{Answer, Engine, Request};
use sbpl::diag::Source;
use sbpl::profile::{EvalOptions, NoImports, evaluate};

const RULES: usize = 250;

/// What each rule is about: one file, a folder, or all names with a beginning.
enum Shape {
    Literal(String),
    Subpath(String),
    Prefix(String),
}

fn shapes() -> Vec<Shape> {
    let shape = |number: usize| match number % 5 {
        0 => Shape::Prefix(format!("/private/var/folders/zz/{number}.")),
        1 => Shape::Literal(format!("/private/etc/file{number}")),
        2 => Shape::Subpath(format!("/Users/me/Library/Caches/app{number}")),
        3 => Shape::Subpath(format!("/Users/me/work{number}")),
        _ => Shape::Subpath(format!("/System/Library/Frameworks/Part{number}.framework")),
    };
    (0..RULES).map(shape).collect()
}

/// The first and the last rule, one in the middle, and none.
const PATHS: &[&str] = &[
    "/Users/me/Library/Caches/app2/index.db",
    "/private/etc/file126",
    "/System/Library/Frameworks/Part249.framework/Resources/Info.plist",
    "/usr/lib/libSystem.B.dylib",
];

fn engine() -> Engine {
    let mut text = "(version 1)\n(deny default)\n".to_owned();
    for shape in shapes() {
        let filter = match shape {
            Shape::Literal(path) => format!("(literal \"{path}\")"),
            Shape::Subpath(path) => format!("(subpath \"{path}\")"),
            Shape::Prefix(path) => format!("(prefix \"{path}\")"),
        };
        text.push_str(&format!("(allow file-read-data {filter})\n"));
    }
    let source = Source::new("peer.sb", text.into_bytes());
    Engine::new(evaluate(source, &NoImports, &EvalOptions::default()).unwrap().policy)
}

fn request(engine: &Engine, path: &str) -> Request {
    let operation = engine.policy().target().operation_named("file-read-data").unwrap();
    // The engine compares in lower case and does so itself.
    let mut request = Request::new(operation).with_path(path);
    request.closed = true;
    request
}

fn policies() -> PolicySet {
    let mut text = String::new();
    for shape in shapes() {
        let condition = match shape {
            Shape::Literal(path) => format!("context.path == \"{path}\""),
            Shape::Subpath(path) => format!("context.path == \"{path}\" || context.path like \"{path}/*\""),
            Shape::Prefix(path) => format!("context.path like \"{path}*\""),
        };
        text.push_str(&format!(
            "permit(principal, action == Action::\"file-read-data\", resource) when {{ {condition} }};\n"
        ));
    }
    PolicySet::from_str(&text).unwrap()
}

fn cedar_request(path: &str) -> cedar_policy::Request {
    let entity = |text: &str| EntityUid::from_str(text).unwrap();
    let context = Context::from_pairs([("path".to_owned(), RestrictedExpression::new_string(path.to_owned()))]).unwrap();
    cedar_policy::Request::new(
        entity("Process::\"p\""),
        entity("Action::\"file-read-data\""),
        entity("File::\"f\""),
        context,
        None,
    )
    .unwrap()
}

fn regexes() -> Vec<String> {
    let text = |shape| match shape {
        Shape::Literal(path) => format!("^{}$", regex::escape(&path)),
        Shape::Subpath(path) => format!("^{}(/|$)", regex::escape(&path)),
        Shape::Prefix(path) => format!("^{}", regex::escape(&path)),
    };
    shapes().into_iter().map(text).collect()
}

fn main() {
    let (engine, policies, authorizer) = (engine(), policies(), Authorizer::new());
    let patterns = regex::RegexSet::new(regexes()).unwrap();
    for path in PATHS {
        let ours = engine.decide(&request(&engine, path)).answer == Answer::Allow;
        let cedar = authorizer.is_authorized(&cedar_request(path), &policies, &Entities::empty()).decision();
        assert_eq!([ours; 2], [cedar == Decision::Allow, patterns.is_match(path)], "{path}");
    }
    divan::main();
}

#[divan::bench(args = PATHS)]
fn sbpl(bencher: Bencher<'_, '_>, path: &str) {
    let engine = engine();
    let request = request(&engine, path);
    bencher.bench_local(|| black_box(engine.decide(black_box(&request)).answer));
}

#[divan::bench(args = PATHS)]
fn cedar(bencher: Bencher<'_, '_>, path: &str) {
    let (policies, authorizer, entities) = (policies(), Authorizer::new(), Entities::empty());
    let request = cedar_request(path);
    bencher.bench_local(|| black_box(authorizer.is_authorized(black_box(&request), &policies, &entities).decision()));
}

#[divan::bench(args = PATHS)]
fn regexes_one_by_one(bencher: Bencher<'_, '_>, path: &str) {
    let patterns: Vec<regex::Regex> = regexes().iter().map(|text| regex::Regex::new(text).unwrap()).collect();
    bencher.bench_local(|| patterns.iter().any(|pattern| pattern.is_match(black_box(path))));
}

#[divan::bench(args = PATHS)]
fn regex_set(bencher: Bencher<'_, '_>, path: &str) {
    let patterns = regex::RegexSet::new(regexes()).unwrap();
    bencher.bench_local(|| patterns.is_match(black_box(path)));
}
