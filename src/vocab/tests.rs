//! The data files are read strictly here, so that the readers in `data` may be lenient.

use super::*;

fn all_targets() -> impl Iterator<Item = &'static Target> {
    target_names().map(|name| target(name).unwrap())
}

#[test]
fn every_id_is_its_index_and_every_parent_chain_ends_with_an_own_action() {
    for target in all_targets() {
        for (index, operation) in target.operations().iter().enumerate() {
            assert_eq!(usize::from(operation.id.0), index, "{} {}", target.name(), operation.name);
            let chain: Vec<_> = target.lineage(operation.id).take(20).collect();
            assert!(chain.len() < 20, "{} {}: cycle", target.name(), operation.name);
            let last = target.operation(*chain.last().unwrap());
            assert!(last.own.is_some(), "{} {} ends at {}", target.name(), operation.name, last.name);
            assert!(operation.own.is_none() || operation.parent.is_none());
        }
        assert!(target.filters().windows(2).all(|pair| pair[0].id < pair[1].id));
        assert!(target.modifiers().windows(2).all(|pair| pair[0].id < pair[1].id));
    }
}

#[test]
fn counts_are_those_of_the_systems() {
    let count = |name| {
        let target = target(name).unwrap();
        (target.operations().len(), target.op_table_len(), target.filters().len())
    };
    assert_eq!(count("macos-10.12"), (137, 137, 51));
    assert_eq!(count("macos-10.13"), (144, 144, 59));
    assert_eq!(count("macos-10.14"), (148, 148, 63));
    assert_eq!(count("macos-10.15"), (145, 145, 69));
    assert_eq!(count("macos-12.3"), (188, 182, 85));
    assert_eq!(count("macos-13.0"), (191, 185, 89));
    assert_eq!(count("macos-14.4"), (196, 190, 93));
    assert_eq!(count("macos-15.2"), (198, 192, 97));
    assert_eq!(count("macos-26"), (201, 195, 97));
}

#[test]
fn every_category_of_a_filter_is_accepted_somewhere() {
    let target = default_target();
    for filter in target.filters() {
        assert!(
            target.operations().iter().any(|operation| operation.categories.contains(&filter.category)),
            "no operation accepts {}",
            filter.name
        );
    }
}

#[test]
fn names_resolve_to_operations_filters_and_modifiers() {
    let target = default_target();
    let operation = |name: &str| match target.spelling(name, 1) {
        Some(Spelling::Operation { id, .. }) => target.operation(id).name,
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(operation("file-read*"), "file-read*");
    assert_eq!(operation("process-exec"), "process-exec*");
    // codegen-rules section 2.4: it opens reading too.
    assert_eq!(operation("sysctl-write"), "sysctl*");
    assert_eq!(operation("iokit-open"), "iokit-open-user-client");
    assert_eq!(target.spelling("iokit-open", 2), None);
    let filter = |name: &str| match target.spelling(name, 1) {
        Some(Spelling::Filter { id, form }) => (target.filter_name(id).into_owned(), form),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(filter("literal"), ("path".to_owned(), FilterForm::Exact));
    assert_eq!(filter("subpath"), ("path".to_owned(), FilterForm::Subpath));
    assert_eq!(filter("process-subpath"), ("process-path".to_owned(), FilterForm::Subpath));
    assert_eq!(filter("mount-relative-regex"), ("mount-relative-path".to_owned(), FilterForm::Regex));
    assert_eq!(filter("global-name-prefix"), ("global-name".to_owned(), FilterForm::Prefix));
    assert_eq!(target.spelling("target-prefix", 1), None);
    assert_eq!(target.spelling("global-subpath", 1), None);
    assert!(matches!(target.spelling("no-log", 1), Some(Spelling::Modifier(_))));
    assert_eq!(target.spelling("no-callout", 1), Some(Spelling::IgnoredModifier));
    assert_eq!(target.spelling("mach-per-user-lookup", 1), Some(Spelling::RetiredOperation));
}

#[test]
fn the_defaults_of_14_4_are_those_of_its_compiled_profiles() {
    // FORMAT-NOTES, Defaults: what is allowed under `(deny default)` in versions 1 and 2.
    let target = default_target();
    let allowed = |version: u8| -> Vec<u8> {
        target
            .operations()
            .iter()
            .filter(|operation| operation.in_op_table)
            .filter(|operation| {
                target
                    .lineage(operation.id)
                    .map(|id| target.operation(id))
                    .find_map(|up| if up.prelude >= version { Some(Action::Allow) } else { up.own })
                    == Some(Action::Allow)
            })
            .map(|operation| operation.id.0)
            .collect()
    };
    let mut one = vec![7, 9, 12, 15, 16, 17, 27];
    one.extend(41..=49);
    one.extend([54, 60, 64, 88, 89, 90, 95, 105, 106, 107, 108, 113, 114, 115, 116, 119]);
    one.extend(123..=132);
    one.extend([146, 148, 149, 151, 152, 153, 162, 172, 173, 174, 177, 189]);
    assert_eq!(allowed(1), one);
    assert_eq!(allowed(2), [16, 90, 95, 105, 106, 107, 108, 119, 153, 173, 174, 177, 189]);
}
