use super::*;
use crate::blob::{Blob, Options};
use crate::compile::golden;
use crate::diag::Source;
use crate::profile::{EvalOptions, NoImports, evaluate};
use crate::vocab::default_target;

fn verified(bytes: &[u8]) -> Verified {
    let program = Blob::parse(bytes, &Options::default()).unwrap().program().unwrap();
    verify(&program, 0, Some(bytes), default_target()).unwrap()
}

/// Every profile of the built-in table comes back to its bytes.
#[test]
fn the_built_in_profiles_decompile_to_the_same_bytes() {
    for fact in golden::facts() {
        let options = EvalOptions { params: Some(fact.params.clone()), ..EvalOptions::default() };
        let source = Source::new(fact.name, fact.text.as_bytes());
        let policy = evaluate(source, &NoImports, &options).unwrap().policy;
        let bytes = crate::compile::compile(&policy, &crate::compile::Limits::default()).unwrap().bytes;
        let found = verified(&bytes);
        let text = String::from_utf8_lossy(&found.draft.text).into_owned();
        assert_eq!(found.outcome, Outcome::Identical, "{}:\n{text}", fact.name);
        assert_eq!(found.draft.lost, Vec::<String>::new(), "{}", fact.name);
    }
}
