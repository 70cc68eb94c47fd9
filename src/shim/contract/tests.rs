//! Contracts that are kept, broken by a request that both engines confirm, and meaningless.

use super::*;
use crate::decide::{Answer, Engine};
use crate::profile::MemoryLoader;
use crate::shim::{ApplyError, apply, parse};
use crate::vocab::default_target;

fn policy(text: &[u8]) -> Policy {
    let source = Source::new("p.sb", text);
    profile::evaluate(source, &MemoryLoader::new(), &EvalOptions::default()).unwrap().policy
}

/// The contract of the one shim of `shim` on `profile`; every witness is asked of both profiles.
fn check(shim: &str, profile: &str) -> Result<Vec<(Direction, String, String)>, ShimError> {
    let shim = parse(shim.as_bytes()).unwrap().remove(0);
    let applied = apply(&shim, profile.as_bytes(), None).map_err(|error| match error {
        ApplyError::Shim(error) => error,
        other @ ApplyError::Profile(_) => panic!("{other}"),
    })?;
    let (before, after) = (policy(profile.as_bytes()), policy(&applied.text));
    let kept = shim.check_contract(&before, &after, &EvalOptions::default(), Budget::default())?;
    assert_eq!(kept.undecided, []);
    let target = default_target();
    let error = shim.breach_error(&kept, target);
    assert_eq!(error.is_none(), kept.is_proved());
    let engines = [Engine::new(before), Engine::new(after)];
    for breach in &kept.broken {
        let request = breach.found.as_ref().unwrap();
        let answers = engines.each_ref().map(|engine| engine.decide(request).answer);
        let wanted = match breach.direction {
            Direction::Widened => [Answer::Deny, Answer::Allow],
            Direction::Narrowed => [Answer::Allow, Answer::Deny],
        };
        assert_eq!(answers, wanted, "{request:?}");
    }
    let shown = kept.broken.iter().map(|breach| {
        let words = breach.found.as_ref().unwrap().words(target).join(" ");
        (breach.direction, target.operation(breach.operation).name.to_owned(), words)
    });
    Ok(shown.collect())
}

const STRICT: &str = "(version 1)(deny default)(allow file-read* (subpath \"/usr\"))";

#[test]
fn what_is_stated_may_change_and_nothing_else() {
    let steps = "(append (allow file-read* (subpath \"/etc\") (literal \"/usr/lib\")))";
    for (contract, breaches) in [
        ("(widens (file-read* (subpath \"/etc\"))) (narrows nothing)", 0),
        ("(widens (file* (subpath \"/\")))", 0),
        ("(widens (_ (prefix \"/e\")))", 0),
        ("(widens (_))", 0),
        ("(widens (file-write*) (file-read* (subpath \"/etc\")))", 0),
        ("(widens anything)", 0),
        ("(narrows nothing)", 0),
        ("(widens (file-read-data (subpath \"/etc\")) (file-read-metadata) (file-read-xattr))", 1),
        ("(widens (file-read* (literal \"/etc\")))", 4),
        ("(widens nothing)", 4),
    ] {
        let found = check(&format!("(shim s {contract} {steps})"), STRICT).unwrap();
        assert_eq!(found.len(), breaches, "{contract}: {found:?}");
    }
}

#[test]
fn the_witness_is_a_shortest_request() {
    let found = check(
        "(shim s (widens (file-read* (literal \"/abc\"))) (append (allow file-read* (subpath \"/abc\"))))",
        STRICT,
    );
    assert_eq!(found.unwrap()[1], (Direction::Widened, "file-read-data".to_owned(), "path=/abc/a".to_owned()));
}

#[test]
fn an_unfiltered_rule_opens_what_no_filtered_rule_decides() {
    let profile = "(version 1)(deny default)(deny file-write* (subpath \"/etc\"))";
    // Only a fallback: the filtered denial stays, so a bound that leaves it out is kept.
    let shim = |bound: &str| format!("(shim s (widens (file-write* {bound})) (append (allow file-write*)))");
    assert_eq!(check(&shim("(require-not (subpath \"/etc\"))"), profile).unwrap(), []);
    assert!(!check(&shim("(subpath \"/etc\")"), profile).unwrap().is_empty());
}

#[test]
fn dropping_and_denying_is_narrowing() {
    let found = check("(shim s (narrows nothing) (widens nothing) (drop (allow file-read* ...)))", STRICT).unwrap();
    assert!(found.iter().all(|(direction, ..)| *direction == Direction::Narrowed) && !found.is_empty());
    let stated = "(shim s (narrows (file-read* (subpath \"/usr\"))) (widens nothing) (drop (allow file-read* ...)))";
    assert_eq!(check(stated, STRICT).unwrap(), []);
}

#[test]
fn a_scope_that_means_nothing_is_an_error_at_its_place() {
    for scope in ["(file-reed*)", "(mach-lookup (subpath \"/x\"))", "(file-read* (subpath 1))", "(signal (undefined))"]
    {
        let text = format!("(shim s (widens (file-read*) {scope}) (append (allow signal)))");
        let error = check(&text, STRICT).unwrap_err();
        assert!(matches!(error.kind, Kind::BadScope(_)), "{error:?}");
        assert_eq!(&text[error.span.start as usize..error.span.end as usize], scope);
    }
}

/// A scope states what may change; a rule inside its filter states nothing.
#[test]
fn rules_hidden_in_a_scope_do_not_count() {
    let shim = "(shim s (widens (file-read* (begin (deny signal) (subpath \"/etc\")))) (append (allow signal)))";
    assert!(!check(shim, STRICT).unwrap().is_empty());
}
