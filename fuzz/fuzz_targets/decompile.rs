//! A compiled profile read back: the text says everything, compiles, and its blob decides as the first one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sbpl::blob::{Blob, Options};
use sbpl::compile::compile;
use sbpl::compile::decompile::verify;
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
    let limits = sbpl::compile::Limits { nodes: 2000, work: 200_000 };
    let Ok(compiled) = compile(&evaluation.policy, &limits) else { return };
    let blob = Blob::parse(&compiled.bytes, &Options::default()).expect("the compiler's own blob can be read");
    let program = blob.program().expect("the compiler's own blob can be linked");
    let target = evaluation.policy.target();
    let verified = verify(&program, 0, Some(&compiled.bytes), target).expect("there is a profile");
    assert_eq!(verified.draft.lost, Vec::<String>::new());
    let said = verified.policy.expect("what is said can be evaluated");
    let operation = &target.operations()[usize::from(operation) % target.op_table_len()];
    let mut request = Request::new(operation.id).with_path(format!("/{path}"));
    request.closed = true;
    let graph = Graph::new(&program, None).expect("the compiler's own blob can be asked");
    assert_eq!(Engine::new(said).decide(&request).answer, graph.decide(&request).answer);
});
