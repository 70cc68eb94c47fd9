//! Fidelity of the native compiler, proved without any other data: our own profiles whose compiled form is a recorded fact.

use sbpl::compile::{Limits, compile, golden};
use sbpl::diag::Source;
use sbpl::profile::{EvalOptions, NoImports, evaluate};
use sha2::{Digest, Sha256};

#[test]
fn every_profile_compiles_to_the_recorded_bytes() {
    let facts = golden::facts();
    assert!(facts.len() >= 25);
    for fact in facts {
        let options = EvalOptions { params: Some(fact.params.clone()), ..EvalOptions::default() };
        let policy = evaluate(Source::new(fact.name, fact.text.as_bytes()), &NoImports, &options).unwrap().policy;
        let bytes = compile(&policy, &Limits::default()).unwrap().bytes;
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((bytes.len(), digest.as_str()), (fact.size, fact.sha256.as_str()), "{}", fact.name);
    }
}
