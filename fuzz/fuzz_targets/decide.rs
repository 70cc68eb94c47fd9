//! Two ways to a decision: evaluate and ask the policy; evaluate, compile, read the blob and ask its graph.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sbpl::blob::{Blob, Options};
use sbpl::compile::compile;
use sbpl::decide::{Engine, Graph, Request};
use sbpl::diag::Source;
use sbpl::profile::{EvalOptions, Limits, NoImports, evaluate};

fuzz_target!(|input: (u8, &str, &str)| {
    let (operation, path, text) = input;
    let limits = Limits { steps: 50_000, heap_bytes: 8 << 20, depth: 1000, rules: 200, filter_tests: 500, ..Limits::default() };
    let options = EvalOptions { limits, ..EvalOptions::default() };
    let Ok(evaluation) = evaluate(Source::new("fuzz", format!("(version 1){text}").into_bytes()), &NoImports, &options)
    else {
        return;
    };
    let limits = sbpl::compile::Limits { nodes: 5000, work: 1_000_000 };
    let Ok(compiled) = compile(&evaluation.policy, &limits) else { return };
    let blob = Blob::parse(&compiled.bytes, &Options::default()).expect("the compiler's own blob can be read");
    let program = blob.program().expect("the compiler's own blob can be linked");
    let graph = Graph::new(&program, None).expect("the compiler's own blob can be asked");
    let operations = evaluation.policy.target().operations();
    let operation = &operations[usize::from(operation) % evaluation.policy.target().op_table_len()];
    let mut request = Request::new(operation.id).with_path(format!("/{path}"));
    request.closed = true;
    let policy = Engine::new(evaluation.policy.clone());
    assert_eq!(policy.decide(&request).answer, graph.decide(&request).answer);
});
