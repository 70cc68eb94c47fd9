//! Large rules compile within few steps, or are refused in words: the work of the compiler is counted, not timed.

use std::fmt::Write;

use sbpl::compile::{CompileError, Limits, compile};
use sbpl::diag::Source;
use sbpl::policy::Policy;
use sbpl::profile::{EvalOptions, NoImports, evaluate};

fn policy(rules: impl FnOnce(&mut String)) -> Policy {
    let mut text = "(version 1)\n(deny default)\n".to_owned();
    rules(&mut text);
    evaluate(Source::new("large", text.into_bytes()), &NoImports, &EvalOptions::default()).unwrap().policy
}

/// Each test of another kind than its neighbours, so that nothing is united.
fn alternating(text: &mut String, n: usize) {
    let filter = if n.is_multiple_of(2) { "extension" } else { "literal" };
    let _ = write!(text, "({filter} \"/part{n}\")");
}

/// Steps that a compilation of some ten thousand tests may take: less than a second without optimisation. Memory follows the nodes.
const FEW: Limits = Limits { nodes: 50_000, work: 3_000_000 };

#[test]
fn ten_thousand_alternating_tests_in_one_rule() {
    let policy = policy(|text| {
        text.push_str("(allow file-read* ");
        (0..10_000).for_each(|n| alternating(text, n));
        text.push(')');
    });
    let compiled = compile(&policy, &FEW).unwrap();
    assert!(compiled.program.nodes.len() > 10_000);
}

#[test]
fn ten_thousand_alternating_tests_in_rules_of_alternating_answers() {
    let policy = policy(|text| {
        for n in 0..10_000 {
            text.push_str(if n / 2 % 2 == 0 { "(deny file-read* " } else { "(allow file-read* " });
            alternating(text, n);
            text.push(')');
        }
    });
    let compiled = compile(&policy, &FEW).unwrap();
    assert!(compiled.program.nodes.len() > 5_000);
}

#[test]
fn three_thousand_regexes_in_one_rule() {
    for regex in ["^/part%d/[0-9]+/x$", "^/part%d/(a+|b*)*c", "part%d"] {
        let policy = policy(|text| {
            text.push_str("(allow file-read* ");
            (0..3000).for_each(|n| {
                let _ = write!(text, "(regex #\"{}\")", regex.replace("%d", &n.to_string()));
            });
            text.push(')');
        });
        let compiled = compile(&policy, &FEW).unwrap();
        assert!(compiled.bytes.len() < 1 << 20, "{regex}: {} bytes", compiled.bytes.len());
    }
}

#[test]
fn work_beyond_the_limit_is_refused_in_words() {
    let policy = policy(|text| {
        text.push_str("(allow file-read* ");
        (0..1000).for_each(|n| alternating(text, n));
        text.push(')');
    });
    for (limits, words) in
        [(Limits { work: 500, ..FEW }, "steps of simplification"), (Limits { nodes: 500, ..FEW }, "nodes")]
    {
        let error = compile(&policy, &limits).unwrap_err();
        assert!(matches!(error, CompileError::Limit { limit: 500, .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}
