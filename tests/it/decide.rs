//! From a profile's text to an answer: the cases in which simpler models of macOS go wrong (`spec/probe-runner.md` section 8).

use sbpl::decide::{Answer, Engine, Request, World, operation_named};
use sbpl::diag::Source;
use sbpl::profile::{EvalOptions, NoImports, evaluate};

fn engine(text: &str) -> Engine {
    let text = format!("(version 1)\n(deny default)\n{text}");
    Engine::new(evaluate(Source::new("t.sb", text.as_bytes()), &NoImports, &EvalOptions::default()).unwrap().policy)
}

fn ask_in(world: &World, text: &str, operation: &str, path: &str) -> Answer {
    let engine = engine(text);
    let mut request = Request::new(operation_named(engine.policy().target(), operation).unwrap());
    request.closed = true;
    engine.decide_path(&request, path.as_bytes(), world, None).unwrap().answer
}

fn ask(text: &str, operation: &str, path: &str) -> Answer {
    ask_in(&World::macos_14(), text, operation, path)
}

const BOTH_HOSTS: &str = r#"(allow file-read* (literal "/etc/hosts") (literal "/private/etc/hosts"))"#;

#[test]
fn both_spellings_allowed_and_yet_refused_because_of_the_link() {
    assert_eq!(ask(BOTH_HOSTS, "file-read-data", "/etc/hosts"), Answer::Deny);
    assert_eq!(ask(BOTH_HOSTS, "file-read-data", "/private/etc/hosts"), Answer::Allow);
}

#[test]
fn the_metadata_of_the_link_is_all_that_was_missing() {
    let text = format!(r#"{BOTH_HOSTS} (allow file-read-metadata (literal "/etc"))"#);
    assert_eq!(ask(&text, "file-read-data", "/etc/hosts"), Answer::Allow);
    let text = r#"(allow file-read* (literal "/private/var/f")) (allow file-read-metadata (literal "/var"))"#;
    assert_eq!(ask(text, "file-read-data", "/var/f"), Answer::Allow);
}

#[test]
fn a_link_in_the_middle_is_asked_about_by_its_own_path() {
    let mut world = World::macos_14();
    world.add_symlink(b"/private/tmp/d/to_var", b"/private/var/tmp").unwrap();
    let target = r#"(allow file-read* (literal "/private/var/tmp/f"))"#;
    assert_eq!(ask_in(&world, target, "file-read-data", "/private/tmp/d/to_var/f"), Answer::Deny);
    let with = format!(r#"{target} (allow file-read-metadata (literal "/private/tmp/d/to_var"))"#);
    assert_eq!(ask_in(&world, &with, "file-read-data", "/private/tmp/d/to_var/f"), Answer::Allow);
}

#[test]
fn the_spelling_of_the_data_volume_never_matches_a_literal() {
    let data = r#"(allow file-read* (literal "/System/Volumes/Data/private/tmp/f") (subpath "/System"))"#;
    assert_eq!(ask(data, "file-read-data", "/System/Volumes/Data/private/tmp/f"), Answer::Deny);
    let canonical = r#"(allow file-read* (literal "/private/tmp/f"))"#;
    assert_eq!(ask(canonical, "file-read-data", "/System/Volumes/Data/private/tmp/f"), Answer::Allow);
}

#[test]
fn a_literal_on_the_alias_alone_never_matches() {
    let alias = r#"(allow file-read* (literal "/tmp/f")) (allow file-read-metadata (literal "/tmp"))"#;
    assert_eq!(ask(alias, "file-read-data", "/tmp/f"), Answer::Deny);
    assert_eq!(ask(alias, "file-read-data", "/private/tmp/f"), Answer::Deny);
}

#[test]
fn dot_dot_is_judged_where_it_leads() {
    let text = r#"(allow file-read* (subpath "/private/tmp/d"))
        (deny file-read* (literal "/private/tmp/d/blocked.txt"))
        (allow file-read* (subpath "/private/tmp/d/okdir"))"#;
    assert_eq!(ask(text, "file-read-data", "/private/tmp/d/okdir/../blocked.txt"), Answer::Deny);
    assert_eq!(ask(text, "file-read-data", "/private/tmp/d/okdir/item"), Answer::Allow);
}

#[test]
fn a_subpath_ends_at_a_component() {
    let text = r#"(allow file-read* (subpath "/private/tmp/m"))"#;
    assert_eq!(ask(text, "file-read-data", "/private/tmp/m/f"), Answer::Allow);
    assert_eq!(ask(text, "file-read-data", "/private/tmp/m_outside/f"), Answer::Deny);
}

#[test]
fn a_subpath_of_the_alias_covers_the_link_itself_and_a_literal_below_it_does_not() {
    let subpath = r#"(allow file-read* (subpath "/tmp") (literal "/private/tmp/f"))"#;
    assert_eq!(ask(subpath, "file-read-data", "/tmp/f"), Answer::Allow);
    let literal = r#"(allow file-read* (literal "/tmp/f") (literal "/private/tmp/f"))"#;
    assert_eq!(ask(literal, "file-read-data", "/tmp/f"), Answer::Deny);
}

#[test]
fn plain_directories_on_the_way_are_not_asked_about() {
    let text = r#"(allow file-read-metadata (literal "/private/tmp/f"))"#;
    assert_eq!(ask(text, "file-read-metadata", "/private/tmp/f"), Answer::Allow);
    assert_eq!(ask(text, "file-read-metadata", "/tmp/f"), Answer::Deny);
}

/// A compiled profile shows the modifiers of the rule that it was made of, wherever that rule decides.
#[test]
fn a_blob_shows_the_modifiers_of_its_rules() {
    use sbpl::blob::{Blob, Options};
    use sbpl::compile::decompile::terminal_modifiers;
    use sbpl::compile::{Limits, compile};
    use sbpl::decide::Graph;

    let engine = engine(
        r#"(allow file-read* (literal "/reported") (with report))
           (deny file-read* (literal "/silent") (with no-report))
           (deny file-read* (literal "/killed") (with send-signal SIGKILL))
           (allow file-read* (literal "/plain"))"#,
    );
    let compiled = compile(engine.policy(), &Limits::default()).unwrap();
    let program = Blob::parse(&compiled.bytes, &Options::default()).unwrap().program().unwrap();
    let graph = Graph::new(&program, None).unwrap();
    let target = engine.policy().target();
    let mut shown = 0;
    for path in ["/reported", "/silent", "/killed", "/plain", "/other"] {
        let mut request = Request::new(operation_named(target, "file-read-data").unwrap()).with_path(path);
        request.closed = true;
        let verdict = graph.decide(&request);
        let found = terminal_modifiers(&program, target, verdict.terminals[0]).unwrap();
        let wanted = engine.modifiers(engine.decide(&request).only_decider().unwrap());
        assert_eq!(found.modifiers, wanted, "{path}");
        assert_eq!(found.message_filters, []);
        shown += wanted.len();
    }
    assert_eq!(shown, 3);
}
