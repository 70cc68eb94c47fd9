//! Every shipped shim keeps its contract, on every profile of ours and on profiles of chance.

use std::path::Path;

use proptest::prelude::*;
use sbpl::decide::Budget;
use sbpl::diag::Source;
use sbpl::policy::Policy;
use sbpl::profile::{EvalOptions, NoImports, Params, evaluate};
use sbpl::shim;

fn options() -> EvalOptions {
    let params = Params::from_iter([("ROOT".to_owned(), "/private/tmp/root".to_owned())]);
    EvalOptions { params: Some(params), ..EvalOptions::default() }
}

fn policy(text: &[u8]) -> Option<Policy> {
    Some(evaluate(Source::new("p.sb", text), &NoImports, &options()).ok()?.policy)
}

/// Holds every shipped shim to its contract on `text`; false when it does not evaluate.
fn contracts_are_kept(text: &[u8], name: &str) -> bool {
    let Some(before) = policy(text) else { return false };
    for shim in shim::built_ins() {
        assert!(shim.widens.is_some() && shim.narrows.is_some(), "{} states no contract", shim.name);
        for key in shim.profiles().into_iter().map(Some).chain([None]) {
            let applied = shim::apply(shim, text, key).unwrap();
            let after = policy(&applied.text).unwrap_or_else(|| panic!("{name}: {} spoils it", shim.name));
            let kept = shim.check_contract(&before, &after, &options(), Budget::default()).unwrap();
            assert!(kept.is_proved(), "{name}: {}: {kept:?}", shim.name);
        }
    }
    true
}

#[test]
fn shipped_shims_keep_their_contracts_on_own_profiles() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("profiles"), root.join("tests/golden")];
    let mut held = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "sb") {
                let name = path.display().to_string();
                assert!(contracts_are_kept(&std::fs::read(&path).unwrap(), &name), "{name} does not evaluate");
                held += 1;
            }
        }
    }
    assert!(held >= 40, "{held}");
}

fn any_filter() -> impl Strategy<Value = String> {
    let paths =
        ["/tmp", "/tmp/foo", "/private/tmp/foo", "/System", "/usr/lib", "/VAR/x", "/etc", "/private/tmp/baz.txt"];
    let names = ["literal", "subpath", "prefix", "process-path", "process-path-prefix"];
    let leaf = (prop::sample::select(names.to_vec()), prop::sample::select(paths.to_vec()))
        .prop_map(|(name, path)| format!("({name} \"{path}\")"));
    let regexes = ["^/tmp/.*[.]o$", "^/var(/|$)", "/secret", "^/private/etc"];
    let regex = prop::sample::select(regexes.to_vec()).prop_map(|text| format!("(regex #\"{text}\")"));
    prop_oneof![4 => leaf, 1 => regex].prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            (prop::sample::select(vec!["require-all", "require-any"]), inner.clone(), inner.clone())
                .prop_map(|(name, a, b)| format!("({name} {a} {b})")),
            inner.prop_map(|a| format!("(require-not {a})")),
        ]
    })
}

fn any_rule() -> impl Strategy<Value = String> {
    let operations = ["file*", "file-read*", "file-read-metadata", "file-write*", "file-write-create", "process-exec*"];
    let operations = prop::sample::subsequence(operations.to_vec(), 1..3);
    (any::<bool>(), operations, prop::collection::vec(any_filter(), 0..3)).prop_map(|(allow, operations, filters)| {
        let action = if allow { "allow" } else { "deny" };
        format!("({action} {} {})\n", operations.join(" "), filters.join(" "))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn shipped_shims_keep_their_contracts(allow in any::<bool>(), rules in prop::collection::vec(any_rule(), 0..6)) {
        let default = if allow { "(allow default)" } else { "(deny default)" };
        let text = format!("(version 1)\n{default}\n{}", rules.concat());
        prop_assert!(contracts_are_kept(text.as_bytes(), &text), "{}", text);
    }
}
