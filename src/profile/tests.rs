use super::*;

#[test]
fn first() {
    let e = evaluate(
        Source::new("t", &b"(version 1)(deny default)(allow file-read* (subpath \"/a\"))"[..]),
        &NoImports,
        &EvalOptions::default(),
    )
    .unwrap();
    assert_eq!(e.policy.rules().len(), 4);
}
