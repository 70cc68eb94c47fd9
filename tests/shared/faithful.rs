//! The published faithfulness cases of decompilers: what the text must say, must not say, and decide.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use libtest_mimic::{Failed, Trial};
use sbpl::blob::{Blob, Options, Program};
use sbpl::compile::decompile::{Choices, Outcome, Verified, decompile, verify};
use sbpl::compile::{Limits, compile};
use sbpl::decide::{Engine, Graph, Request, operation_named};
use sbpl::diag::Source;
use sbpl::policy::{Arg, Filter};
use sbpl::profile::{EvalOptions, MemoryLoader, Params, evaluate};
use sbpl::vocab::{self, Target};
use serde_json::Value;

use crate::counts;

pub(crate) fn trials(shared: PathBuf) -> Vec<Trial> {
    let cases = shared.join("golden/decompiler-cases.json");
    vec![Trial::test("faithful::cases", move || faithfulness(&cases))]
}

/// The target whose compiler is at hand.
fn native() -> &'static Target {
    vocab::default_target()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

/// The texts of a case: as they stand, one for each operation, or generated.
fn texts(case: &Value) -> Vec<String> {
    if let Some(template) = case["sbpl_template"].as_str() {
        return list(&case["operations"]).iter().map(|operation| template.replace("OPERATION", operation)).collect();
    }
    if let Some(repeat) = case["sbpl_generator"]["repeat"].as_u64() {
        let line = text(&case["sbpl_generator"]["line"]);
        // Thousands of rules take a compiler without optimisation too long.
        let repeat = if cfg!(debug_assertions) { repeat.min(200) } else { repeat };
        let lines: String = (0..repeat).map(|n| line.replace("%d", &n.to_string())).collect();
        return vec![text(&case["sbpl_generator"]["head"]) + &lines];
    }
    case["sbpl"].as_str().map(str::to_owned).into_iter().collect()
}

fn options(case: &Value) -> EvalOptions {
    let params: Params = serde_json::from_value(case["params"].clone()).unwrap_or_default();
    EvalOptions { params: (!params.is_empty()).then_some(params), ..EvalOptions::default() }
}

fn bytes(text: &str, options: &EvalOptions) -> Result<Vec<u8>, String> {
    let evaluated = evaluate(Source::new("case", text.as_bytes()), &MemoryLoader::new(), options);
    let policy = evaluated.map_err(|failure| failure.to_string())?.policy;
    Ok(compile(&policy, &Limits::default()).map_err(|error| error.to_string())?.bytes)
}

/// Everything that a decided question gives: the operation's own argument, then what `with` adds.
fn request(question: &Value) -> Result<Request, String> {
    let name = text(&question["op"]);
    let operation = operation_named(native(), &name).map_err(|error| error.to_string())?;
    let mut request = Request::new(operation);
    request.closed = true;
    let filter = match name.as_str() {
        "mach-lookup" => "global-name",
        "iokit-open-user-client" => "iokit-registry-entry-class",
        _ => "path",
    };
    let more =
        question["with"].as_object().into_iter().flatten().map(|(name, value)| format!("{name}={}", text(value)));
    for argument in std::iter::once(format!("{filter}={}", text(&question["arg"]))).chain(more) {
        request.add_argument(native(), &argument).map_err(|error| error.to_string())?;
    }
    Ok(request)
}

/// The bit of a terminal that reports.
const REPORT: u32 = 4;

/// What the blob and the text both decide must be what is expected.
fn decided(question: &Value, program: &Program, said: &Verified) -> Result<(), String> {
    let request = request(question)?;
    let policy = said.policy.clone().ok_or("the text does not evaluate")?;
    let graph = Graph::new(program, None).map_err(|error| error.to_string())?;
    let verdict = graph.decide(&request);
    let answers = [Engine::new(policy).decide(&request).answer.name(), verdict.answer.name()];
    let expected = text(&question["result"]);
    if answers != [expected.as_str(); 2] {
        return Err(format!("{question}: text and blob say {answers:?}"));
    }
    let reports = |id| program.terminal(id).is_some_and(|terminal| terminal.flags & REPORT != 0);
    match question["report"].as_bool() {
        Some(report) if verdict.terminals.iter().any(|id| reports(*id) != report) => {
            Err(format!("{question}: whether it is reported"))
        }
        _ => Ok(()),
    }
}

/// Every string that the program holds.
fn pool(program: &Program) -> BTreeSet<Vec<u8>> {
    let patterns =
        program.patterns.iter().flat_map(|tree| tree.to_patterns(&program.variables.names).unwrap_or_default());
    let texts = patterns.map(|pattern| pattern.text().to_vec());
    let regexes = program.regexes.iter().map(|regex| sbpl::pattern::Pattern::from_regex(regex.clone()).text().to_vec());
    texts.chain(regexes).chain(program.strings.iter().cloned()).collect()
}

/// A string that the text names and the blob does not hold.
pub(crate) fn invented(program: &Program, said: &Verified) -> Option<String> {
    let pool = pool(program);
    let mut found = None;
    for filter in said.draft.rules.iter().filter_map(|rule| rule.filter.as_ref()) {
        filter.for_each_test(&mut |test| {
            let text = match &test.arg {
                Arg::Pattern(pattern) => pattern.text(),
                Arg::String(text) => text.as_slice(),
                _ => return,
            };
            // A record that no list of strings gives is one anchored regex of all its strings.
            let anchored = matches!(&test.arg, Arg::Pattern(pattern) if pattern.regex().is_some());
            if !anchored && !pool.contains(text) {
                found = Some(String::from_utf8_lossy(text).into_owned());
            }
        });
    }
    found
}

/// Whether a conjunction demands two values of the filter called `name`.
fn demands_two(filter: &Filter, name: &str) -> bool {
    let of_it = |filter: &&Filter| matches!(filter, Filter::Test(test) if native().filter_name(test.filter) == name);
    match filter {
        Filter::Test(_) => false,
        Filter::Not(inner) => demands_two(inner, name),
        Filter::Any(parts) => parts.iter().any(|part| demands_two(part, name)),
        Filter::All(parts) => {
            parts.iter().filter(of_it).count() > 1 || parts.iter().any(|part| demands_two(part, name))
        }
    }
}

/// Why `source` is not said faithfully; nothing when it is.
fn unfaithful(case: &Value, source: &str) -> Result<(), String> {
    let options = options(case);
    let expect = &case["expect"];
    if let Some(expected) = expect["compile_error"].as_str() {
        let message = bytes(source, &options).err().unwrap_or_default();
        return if message.contains(expected) { Ok(()) } else { Err(format!("the error is {message:?}")) };
    }
    let started = Instant::now();
    let compiled = bytes(source, &options)?;
    let blob = Blob::parse(&compiled, &Options::default()).map_err(|error| error.to_string())?;
    let program = blob.program().map_err(|error| error.to_string())?;
    if expect["result"].as_str().is_some() {
        // The list of another system has more names.
        let other = vocab::target("macos-15.2").map_err(|error| error.to_string())?;
        let refused = decompile(&program, 0, other, &Choices::default()).err().map(|stop| stop.to_string());
        let counts = [native().op_table_len(), other.op_table_len()].map(|count| count.to_string());
        return match refused {
            Some(message) if counts.iter().all(|count| message.contains(count)) => Ok(()),
            other => Err(format!("names of another system give {other:?}")),
        };
    }
    let verified = verify(&program, 0, Some(&compiled), native()).map_err(|stop| stop.to_string())?;
    let said = String::from_utf8_lossy(&verified.draft.text).into_owned();
    let rules = &verified.draft.rules;
    if verified.outcome != Outcome::Identical {
        return Err(format!("{:?}\n{said}", verified.outcome));
    }
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let operation = source.rsplit("(deny ").next().and_then(|rest| rest.split(')').next()).unwrap_or_default();
    for part in list(&expect["text_has"]) {
        // Several operations with one answer are one rule: the operation is named somewhere in it.
        let part = part.replace("OPERATION", operation);
        let name = part.trim_start_matches("(deny ").trim_start_matches("(allow ").trim_end_matches(')');
        if !words.contains(&part) && !words.contains(&format!(" {name}")) {
            return Err(format!("{part} is missing in\n{said}"));
        }
    }
    if let Some(part) = list(&case["forbid"]["text_has"]).into_iter().find(|part| words.contains(part.as_str())) {
        return Err(format!("{part} is invented in\n{said}"));
    }
    if let Some(invented) = invented(&program, &verified) {
        return Err(format!("{invented:?} is not in the blob\n{said}"));
    }
    for other in [&expect["bytes_differ_from"], &case["near_miss"]].into_iter().filter_map(Value::as_str) {
        if bytes(other, &options)? == compiled {
            return Err(format!("another text gives the same bytes: {other}"));
        }
    }
    if let Some(start) = expect["text_starts"].as_str() {
        let first = said.lines().find(|line| !line.starts_with(';')).unwrap_or_default();
        if first != start {
            return Err(format!("it starts with {first}"));
        }
    }
    let rules_of = |name: &str| {
        let id = native().operation_named(name);
        rules.iter().filter(|rule| id.is_some_and(|id| rule.operations.contains(&id))).count() as u64
    };
    for (key, name) in [("mach_lookup_rules", "mach-lookup"), ("rules_for_storage_class_map", "storage-class-map")] {
        if expect[key].as_u64().is_some_and(|count| count != rules_of(name)) {
            return Err(format!("{} rules for {name} in\n{said}", rules_of(name)));
        }
    }
    if let Some(name) = case["forbid"]["require_all_of_two_values"].as_str()
        && rules.iter().filter_map(|rule| rule.filter.as_ref()).any(|filter| demands_two(filter, name))
    {
        return Err(format!("two values of {name} at once in\n{said}"));
    }
    if expect["text_bytes_below"].as_u64().is_some_and(|most| said.len() as u64 >= most) {
        return Err(format!("{} bytes of text", said.len()));
    }
    if expect["time_s_below"].as_f64().is_some_and(|most| started.elapsed().as_secs_f64() >= most) {
        return Err(format!("it took {:?}", started.elapsed()));
    }
    expect["decisions"].as_array().into_iter().flatten().try_for_each(|question| decided(question, &program, &verified))
}

/// The cases that are about the compiler at hand. The others need a compiler with `autobox`, `delegate` and `extends`: of 26, whose
/// own answers and filters no recorded blob shows.
fn faithfulness(path: &Path) -> Result<(), Failed> {
    let file: Value = serde_json::from_slice(&std::fs::read(path)?)?;
    let (mut right, mut total) = (0, 0);
    for case in file["cases"].as_array().into_iter().flatten() {
        if let Some(needed) = case["requires"].as_str() {
            println!("{}: left out, needs: {needed}", case["id"]);
            continue;
        }
        let mut texts = texts(case);
        // An operation that 14.4 does not have makes no text.
        if case.get("operations").is_some() {
            texts.retain(|text| bytes(text, &EvalOptions::default()).is_ok());
        }
        for text in texts {
            total += 1;
            match unfaithful(case, &text) {
                Ok(()) => right += 1,
                Err(problem) => println!("{}: {problem}", case["id"]),
            }
        }
    }
    counts::check("decompile: faithfulness cases", right, total)
}
