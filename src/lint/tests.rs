use super::rule::HEADINGS;
use super::*;
use crate::syntax::{SyntaxLimits, parse};
use crate::vocab::default_target;

fn codes(text: &str, config: &Config) -> Vec<&'static str> {
    let parsed = parse(text.as_bytes(), &SyntaxLimits::default());
    let parameters = Parameters::new();
    let input = Input {
        tree: &parsed.tree,
        source: SourceId(0),
        target: default_target(),
        parameters: &parameters,
        policy: None,
    };
    lint(input, config).iter().map(|finding| finding.rule.code.0).collect()
}

#[test]
fn codes_are_consecutive_and_names_are_unique() {
    for (index, rule) in RULES.iter().enumerate() {
        assert_eq!(rule.code.0, format!("SBPL{:03}", index + 1));
        assert!(rule.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", rule.name);
    }
    let mut names: Vec<_> = RULES.iter().map(|rule| rule.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), RULES.len());
}

#[test]
fn every_page_has_every_heading_in_order() {
    for rule in RULES {
        let mut rest = rule.page;
        for heading in HEADINGS {
            let (_, after) = rest.split_once(heading).unwrap_or_else(|| panic!("{} lacks {heading}", rule.code));
            rest = after;
        }
        assert!(!rest.trim().is_empty(), "{} names no source", rule.code);
    }
}

#[test]
fn the_most_exact_selector_decides() {
    let mut config = Config::default();
    config.ignore(["paths"]).unwrap();
    config.select(["SBPL005", "all"]).unwrap();
    let on = |name: &str| config.enabled(rule(name).unwrap());
    assert!(on("SBPL005") && on("redundant-link-path"));
    assert!(!on("dead-path"));
    assert_eq!(config.select(["nothing"]), Err(ConfigError::UnknownSelector("nothing".to_owned())));
}

#[test]
fn a_configuration_sets_severities_and_refuses_unknown_keys() {
    let config = Config::from_json(br#"{"severity": {"paths": "note", "SBPL003": "warning"}}"#).unwrap();
    let severity = |name: &str| config.severity(rule(name).unwrap());
    assert_eq!(severity("dead-path"), crate::diag::Severity::Warning);
    assert_eq!(severity("impossible-path"), crate::diag::Severity::Note);
    assert!(matches!(Config::from_json(br#"{"selct": []}"#), Err(ConfigError::Shape(_))));
}

#[test]
fn a_comment_covers_its_line_or_the_form_after_it() {
    let config = Config::default();
    let dead = "(allow file-read* (subpath \"/tmp/x\"))";
    assert_eq!(codes(dead, &config), ["SBPL003"]);
    assert_eq!(codes(&format!("{dead} ; sbpl-lint: allow SBPL003 -- a reason"), &config), Vec::<&str>::new());
    let before = ";; sbpl-lint: allow dead-path -- a reason\n(allow file-read*\n  (subpath \"/tmp/x\"))\n";
    assert_eq!(codes(before, &config), Vec::<&str>::new());
    assert_eq!(codes(&format!("{before}{dead}"), &config), ["SBPL003"]);
    let whole = format!(";; sbpl-lint: allow-file SBPL003 -- a reason\n{dead}\n{dead}");
    assert_eq!(codes(&whole, &config), Vec::<&str>::new());
}

#[test]
fn a_comment_without_reason_or_use_is_a_finding() {
    let config = Config::default();
    let dead = "(allow file-read* (subpath \"/tmp/x\"))";
    assert_eq!(codes(&format!("{dead} ; sbpl-lint: allow SBPL003"), &config), ["SBPL003", "SBPL001"]);
    assert_eq!(codes("; sbpl-lint: allow SBPL003 -- why\n(allow default (with report))", &config)[0], "SBPL002");
    assert_eq!(codes("; sbpl-lint: allow SBPL999 -- why\n(version 1)", &config), ["SBPL001"]);
}

#[test]
fn hostile_texts_are_read_to_the_end() {
    let mut all = Config::default();
    all.select(["all"]).unwrap();
    for text in [
        "(allow",
        "(deny . file*)",
        "(define)",
        "(define ())",
        "(let)",
        "(version 99999999999999)",
        "(allow file-read* (subpath))",
        "(allow file-read* (regex \"[\"))",
        "(define a b)(define b a)(allow file* (literal a))",
        "; sbpl-lint:",
        ";; sbpl-lint: allow SBPL003 -- x",
        "'(allow default)",
        "(allow network* (remote ip \":\"))",
        "(allow file-read* (literal \"\\",
    ] {
        codes(text, &all);
    }
    codes(&"(allow ".repeat(5000), &all);
    codes(&"(require-not ".repeat(900), &all);
}

/// Texts in which every rule of the linter has much to do; work that grows with the square of the text would not end.
#[test]
fn long_texts_take_time_in_proportion() {
    let mut all = Config::default();
    all.select(["all"]).unwrap();
    let repeated = |line: &dyn Fn(usize) -> String| (0..8_000).map(line).collect::<String>();
    for text in [
        repeated(&|_| "(deny file-write*)(allow file-write* (literal \"/x\"))".to_owned()),
        repeated(&|i| format!("(allow file-write* (subpath \"/private/tmp/d{i}/e\"))")) + "(version 1)(deny default)",
        repeated(&|i| format!("(deny file-read* (literal \"/private/work/d{i}/e\"))"))
            + "(allow file* (subpath \"/\"))",
        repeated(&|i| format!("(allow unknown-{i} (unknown-filter-{i}))")),
        format!("(allow file-read* {})", repeated(&|i| format!("(literal \"/tmp/{i}\")(prefix \"\")"))),
        repeated(&|i| format!("; sbpl-lint: allow SBPL003 -- why\n(allow file* (literal \"/tmp/{i}\"))\n")),
        format!("(allow file-read* (literal \"{}\") (subpath \"/tmp{}\"))", "__".repeat(50_000), "/a".repeat(50_000)),
        format!("(version 1){}", "(allow process-info* (target self))".repeat(8_000)),
    ] {
        let start = std::time::Instant::now();
        codes(&text, &all);
        let limit = std::time::Duration::from_secs(20);
        assert!(start.elapsed() < limit, "{:?}: {}", start.elapsed(), &text[..60]);
    }
}
