//! The tables as a library user sees them.

use sbpl::vocab;

/// Every name that `spellings` lists resolves to what it lists.
#[test]
fn listed_spellings_resolve() {
    for name in vocab::target_names() {
        let target = vocab::target(name).unwrap();
        for (name, spelling) in target.spellings(1) {
            assert_eq!(target.spelling(&name, 1), Some(spelling), "{name}");
        }
    }
}
