//! What rules print is SBPL that evaluates to the same rules.

use sbpl::diag::Source;
use sbpl::policy::print::Printer;
use sbpl::policy::{Policy, RuleSource};
use sbpl::profile::{EvalOptions, NoImports, evaluate};

const RULES: &[&str] = &[
    r#"(allow file-read-metadata (literal "/a") (with no-times))"#,
    r#"(allow file-read* file-write-data (subpath "/a \"b\"\\"))"#,
    r#"(deny file-read* (regex #"^/a/[^/]+\.x$"))"#,
    r#"(deny file-read* (regex "a\"b"))"#,
    r#"(allow file-read* (require-all (vnode-type DIRECTORY) (require-not (prefix "/p"))))"#,
    r#"(allow mach-lookup (global-name-prefix "com.x") (local-name-regex #"y$"))"#,
    r#"(allow process-exec* (process-subpath "/usr") (with no-sandbox))"#,
    r#"(deny network-outbound (remote tcp4 "localhost:22"))"#,
    r#"(deny network-outbound (remote ip "*:*") (with send-signal SIGKILL))"#,
    r#"(allow system-socket (socket-domain AF_SYSTEM) (socket-protocol 2))"#,
    r#"(allow iokit-open-user-client (require-entitlement "e"))"#,
    r#"(allow sysctl-read (require-entitlement "e" (entitlement-value "v")))"#,
    r#"(allow sysctl-read (require-entitlement "e" (entitlement-value-regex #"^v")))"#,
    r#"(allow file-read* (extension "com.apple.app-sandbox.read") (file-mode 292))"#,
    r#"(deny default (with message "\x01no"))"#,
];

fn policy(text: &str) -> Policy {
    evaluate(Source::new("t.sb", text.as_bytes()), &NoImports, &EvalOptions::default()).unwrap().policy
}

#[test]
fn printed_rules_evaluate_to_themselves() {
    for rule in RULES {
        let first = policy(&format!("(version 1)\n{rule}"));
        let printed: Vec<String> = first
            .rules()
            .iter()
            .filter(|rule| rule.source == RuleSource::Profile)
            .map(|rule| String::from_utf8(Printer::new(first.target(), 1).rule(rule)).unwrap())
            .collect();
        let again = policy(&format!("(version 1)\n{}", printed.join("\n")));
        for (a, b) in first.rules().iter().zip(again.rules()) {
            assert_eq!((a.action, &a.filter, &a.modifiers), (b.action, &b.filter, &b.modifiers), "{printed:?}");
            assert_eq!(a.operations, b.operations, "{printed:?}");
        }
        assert_eq!(first.rules().len(), again.rules().len());
    }
}
