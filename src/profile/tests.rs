use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::policy::print;

/// The rules of the profile as text, with warnings; or the error in Apple's shape, with our hints.
fn run_with(text: &str, loader: &dyn Loader, options: &EvalOptions) -> String {
    let source = Source::new("<input string>", text.as_bytes());
    let mut lines = Vec::new();
    match evaluate(source, loader, options) {
        Ok(evaluation) => {
            lines.extend(evaluation.warnings.iter().map(|warning| format!("warning: {}", warning.message)));
            lines.push(String::from_utf8_lossy(&print::policy(&evaluation.policy, false)).trim_end().to_owned());
        }
        Err(failure) => {
            for diagnostic in &failure.diagnostics {
                let place = diagnostic.location.and_then(|location| failure.sources.position(location));
                let place = place.map(|(name, at)| format!(" {name}:{}:{}", at.line, at.column)).unwrap_or_default();
                lines.push(format!("{}{place}: {}", diagnostic.code, apple_text(diagnostic, &failure.sources)));
                lines.extend(diagnostic.notes.iter().map(|note| format!("note: {note}")));
                lines.extend(diagnostic.help.iter().map(|help| format!("help: {help}")));
            }
        }
    }
    lines.join("\n")
}

/// A profile after `(version 1)` on the default target.
fn check(text: &str, expected: Expect) {
    expected.assert_eq(&run_with(&format!("(version 1){text}"), &NoImports, &EvalOptions::default()));
}

fn on(target: &str) -> EvalOptions {
    EvalOptions { target: crate::vocab::target(target).unwrap(), ..EvalOptions::default() }
}

fn limited(change: impl FnOnce(&mut Limits)) -> EvalOptions {
    let mut options = EvalOptions::default();
    change(&mut options.limits);
    options
}

#[test]
fn rules_sort_their_arguments() {
    check(
        "(allow (with report) file-read* (literal \"/a\") file-write* (subpath \"/b\" \"/c\"))",
        expect![[r#"
            (version 1)
            (allow file-read* file-write*
                (literal "/a")
                (require-any (subpath "/b") (subpath "/c"))
                (with report))"#]],
    );
    // Filters side by side are an "or"; () and lists are accepted on new systems.
    check(
        "(allow file-read* (when #f 1) (list (literal \"/a\") (list (literal \"/b\"))))",
        expect![[r#"
            (version 1)
            (allow file-read* (literal "/a") (literal "/b"))"#]],
    );
    check(
        "(allow)",
        expect![[r#"
        E0212 <input string>:1:12: at least one operation required
        <input string>:1:13:
        	(allow)"#]],
    );
    check(
        "(allow file-read* 5)",
        expect![[r#"
        E0211 <input string>:1:12: illegal argument: 5
        <input string>:1:13:
        	(allow file-read* 5)"#]],
    );
    check(
        "(deny default (allow file-read*))",
        expect![[r##"
        E0211 <input string>:1:12: illegal argument: #t
        <input string>:1:27:
        	(allow file-read*)
        help: A rule gives #t: (allow …) or (deny …) cannot be an argument of another rule."##]],
    );
    assert!(
        run_with("(version 1)(allow file-read* '())", &NoImports, &on("macos-10.14")).contains("illegal argument: ()")
    );
}

#[test]
fn combinations_check_their_arguments() {
    check(
        "(allow file-read* (require-any))",
        expect!["E0219 <input string>:1:30: require-any requires at least one filter"],
    );
    check(
        "(allow file-read* (require-all 1))",
        expect!["E0219 <input string>:1:30: arguments to require-all must be filters"],
    );
    check("(allow file-read* (require-not))", expect!["E0219 <input string>:1:30: malformed combination filter"]);
    check(
        "(allow file-read* (require-all (vnode-type DIRECTORY) (require-not (subpath \"/a\"))))",
        expect![[r#"
            (version 1)
            (allow file-read* (require-all (vnode-type DIRECTORY) (require-not (subpath "/a"))))"#]],
    );
}

#[test]
fn modifiers_are_checked_against_action_and_operation() {
    // Torture case 22.
    check(
        "(allow default (with no-log))",
        expect![[r#"
        E0214 <input string>:1:12: no-report modifier does not apply to allow action
        <input string>:1:28:
        	(with no-log)
        help: Only a deny reports; (with no-report) is for deny."#]],
    );
    check(
        "(deny default (with report))",
        expect![[r#"
        E0214 <input string>:1:12: report modifier does not apply to deny action
        <input string>:1:27:
        	(with report)
        help: A deny reports anyway; (with report) is for allow."#]],
    );
    check(
        "(allow file-read* (with no-sandbox))",
        expect![[r#"
        E0214 <input string>:1:12: no-sandbox modifier does not apply to file-read* operation
        <input string>:1:31:
        	(with no-sandbox)"#]],
    );
    check(
        "(allow file-read* (with report) (with report))",
        expect![[r#"
        E0213 <input string>:1:12: report modifier can only appear once per rule
        <input string>:1:45:
        	(with report)"#]],
    );
    check(
        "(deny file-read* (with send-signal))",
        expect!["E0218 <input string>:1:29: malformed modifier: send-signal"],
    );
    check("(deny file-read* (with 5))", expect!["E0218 <input string>:1:29: illegal modifier"]);
    check(
        "(deny file-read* (with send-signal SIGKILL) (with message \"why\") (with errno ENOENT) (with partial-symbolication))",
        expect![[r#"
            (version 1)
            (deny file-read* (with send-signal SIGKILL) (with message "why") (with errno ENOENT))"#]],
    );
}

#[test]
fn filters_check_their_arguments() {
    // Torture case 38.
    check(
        "(allow file-read* (subpath \"\"))",
        expect![[r#"
        E0217 <input string>:1:30: malformed path filter
        note: a subpath cannot be empty; "/" is everything"#]],
    );
    check(
        "(allow file-read* (subpath \"/\") (subpath \"/a/\"))",
        expect![[r#"
        (version 1)
        (allow file-read* (subpath "/") (subpath "/a/"))"#]],
    );
    check(
        "(allow file-read* (literal))",
        expect![[r#"
        E0217 <input string>:1:30: malformed path filter
        note: it needs at least one argument"#]],
    );
    check(
        "(allow file-read* (literal 5))",
        expect!["E0216 <input string>:1:30: invalid data type of path filter; expected pattern, got number"],
    );
    check(
        "(allow mach-lookup (literal \"/x\"))",
        expect![[r#"
        E0215 <input string>:1:12: path filter does not apply to mach-lookup operation
        <input string>:1:32:
        	(literal "/x")"#]],
    );
    check(
        "(allow file-read* (regex #\"a^b\"))",
        expect![[r#"
        E0801 <input string>:1:30: unexpected ^ operator in middle of expression
        note: in the regex "a^b" at byte 1"#]],
    );
    check(
        "(allow network-outbound (socket-domain AF_INET 39) (socket-type SOCK_STREAM))",
        expect![[r#"
        (version 1)
        (allow network-outbound
            (require-any (socket-domain AF_INET) (socket-domain 39))
            (socket-type SOCK_STREAM))"#]],
    );
    // Torture case 16.
    check(
        "(allow file-read* (extension) (require-all (tty) (extension \"e\")))",
        expect![[r#"
        (version 1)
        (allow file-read* (extension) (require-all (vnode-type TTY) (extension "e")))"#]],
    );
}

#[test]
fn network_addresses() {
    check(
        "(allow network* (local ip) (remote tcp \"localhost:80\" \"*:*\") (to unix-socket (path-literal \"/s\")) (remote unix-socket))",
        expect![[r#"
            (version 1)
            (allow network*
                (local ip "*:*")
                (require-any (remote tcp "localhost:80") (remote tcp "*:*"))
                (literal "/s")
                (socket-domain AF_LOCAL))"#]],
    );
    check(
        "(allow network* (remote ip \"10.0.0.1:80\"))",
        expect![[r#"
        E0221 <input string>:1:28: host must be * or localhost in network address
        help: The host is * or localhost; addresses and names cannot be told apart."#]],
    );
    check("(allow network* (remote ip \"*\"))", expect!["E0221 <input string>:1:28: port missing in network address"]);
    check(
        "(allow network* (remote ip \"*:1-9\"))",
        expect![[r#"
        E0221 <input string>:1:28: invalid port in network address
        help: The port is * or one number from 0 to 65535; ranges and lists do not exist."#]],
    );
    check("(allow network* (remote ip 'x))", expect!["E0221 <input string>:1:28: remote expects string argument"]);
}

/// Torture cases 17 to 21, 23, 24, 28, 29 and 35 of `spec/sbpl-language.md` section 16.
#[test]
fn rules_are_made_by_the_program() {
    check(
        "(define (f op) (op file-read*) (op file-write*)) (f deny)",
        expect![[r#"
        (version 1)
        (deny file-read*)
        (deny file-write*)"#]],
    );
    check(
        "(define (f . filters) (apply allow file-read* filters)) (f (literal \"/a\") (literal \"/b\"))",
        expect![[r#"
        (version 1)
        (allow file-read* (literal "/a") (literal "/b"))"#]],
    );
    check(
        "(define (f)) (f) (if #f (allow default)) (when #t (let ((deny allow)) (deny default)))",
        expect![[r#"
        (version 1)
        (allow default)"#]],
    );
    check(
        "(define mine (literal \"/a\")) (allow file-read* mine) (allow file-write* (require-any mine (tty)))",
        expect![[r#"
        (version 1)
        (allow file-read* (literal "/a"))
        (allow file-write* (literal "/a") (vnode-type TTY))"#]],
    );
    check("(if (defined? 'no-such-operation) (allow no-such-operation))", expect!["(version 1)"]);
    check(
        "(when #t (define x \"/a\")) (allow file-read* (literal x))",
        expect![[r#"
        (version 1)
        (allow file-read* (literal "/a"))"#]],
    );
    check(
        "(set! deny allow) (deny default)",
        expect![[r#"
        (version 1)
        (allow default)"#]],
    );
    let loader = MemoryLoader::new().with("a.sb", "(allow file-read*)");
    assert_eq!(
        run_with("(version 1)(import \"a.sb\")(import \"a.sb\")", &loader, &EvalOptions::default()),
        "(version 1)\n(allow file-read*)\n(allow file-read*)"
    );
}

#[test]
fn contexts_change_the_rules_made_inside() {
    check(
        "(define (f) (allow file-read* (literal \"/a\") (literal \"/b\"))) (define old allow)
         (with-filter (vnode-type DIRECTORY) (f) (deny file-write*) (old file-ioctl)) (f)",
        expect![[r#"
            (version 1)
            (allow file-read* (require-all (require-any (literal "/a") (literal "/b")) (vnode-type DIRECTORY)))
            (deny file-write* (vnode-type DIRECTORY))
            (allow file-ioctl)
            (allow file-read* (literal "/a") (literal "/b"))"#]],
    );
    // Torture case 28.
    check("(with-filter (system-attribute apple-internal))", expect!["(version 1)"]);
    check(
        "(with-modifier (with telemetry) (with-operations (list file-read* file-write*) (allow (tty))))",
        expect![[r#"
        (version 1)
        (allow file-read* file-write* (vnode-type TTY) (with telemetry))"#]],
    );
    check(
        "(with-filter (subpath \"/a\") (with-filter (tty) (allow file-read* (literal \"/a/b\"))))",
        expect![[r#"
        (version 1)
        (allow file-read* (require-all (require-all (literal "/a/b") (vnode-type TTY)) (subpath "/a")))"#]],
    );
}

#[test]
fn message_filters_hold_rules_of_their_own() {
    check(
        "(allow iokit-open-user-client (apply-message-filter (with report) (deny iokit-external-trap (with telemetry))
           (when #t (allow iokit-external-method (iokit-method-number 3)))))",
        expect![[r#"
            (version 1)
            (allow iokit-open-user-client
                (apply-message-filter
                    (deny iokit-external-trap (with telemetry))
                    (allow iokit-external-method (iokit-method-number 3))))"#]],
    );
    check(
        "(allow iokit-external-method)",
        expect![[r#"
        E0222 <input string>:1:12: iokit-external-method operation not applicable in this context
        <input string>:1:13:
        	(allow iokit-external-method)
        help: Rules on message operations stand inside (apply-message-filter …), all others outside."#]],
    );
    check(
        "(allow iokit-open-user-client (apply-message-filter (allow file-read*)))",
        expect![[r#"
        E0222 <input string>:1:64: file-read* operation not applicable in this context
        <input string>:1:65:
        	(allow file-read*)
        help: Rules on message operations stand inside (apply-message-filter …), all others outside."#]],
    );
}

#[test]
fn entitlements_in_filters_and_in_data() {
    check(
        "(allow file-read* (require-entitlement \"a\") (require-entitlement \"b\" (entitlement-value \"x\"))
           (require-entitlement \"c\" (entitlement-value-regex #\"^y\")) (require-entitlement \"d\" (entitlement-value #f)))",
        expect![[r##"
            (version 1)
            (allow file-read*
                (require-entitlement "a")
                (require-entitlement "b" (entitlement-value "x"))
                (require-entitlement "c" (entitlement-value-regex #"^y"))
                (require-entitlement "d" (entitlement-value #f)))"##]],
    );
    check("(require-entitlement \"a\" 1)", expect!["E0220 <input string>:1:12: expected filter as second argument"]);
    check(
        "(require-entitlement \"a\" (entitlement-value 1))",
        expect!["E0220 <input string>:1:37: entitlement-value argument must be string or boolean"],
    );
    let entitlements = serde_json::json!({"list": ["/a", "/b"], "yes": true, "text": "(allow file-write*)"});
    let options = EvalOptions { entitlements: entitlements.as_object().cloned(), ..EvalOptions::default() };
    let text = "(version 1)(define (get key) (cdr (assoc key *entitlements*)))
        (if (get \"yes\") (allow file-read* (apply subpath (get \"list\"))))
        (eval (read (open-input-string (get \"text\"))))";
    expect![[r#"
        (version 1)
        (allow file-read* (subpath "/a") (subpath "/b"))
        (allow file-write*)"#]]
    .assert_eq(&run_with(text, &NoImports, &options));
    check("(if (defined? '*entitlements*) (allow default))", expect!["(version 1)"]);
}

#[test]
fn helpers() {
    check(
        "(allow file-read* (path-ancestors \"/a/b/c\" \"/a/d/\"))",
        expect![[r#"
        (version 1)
        (allow file-read* (literal "/") (literal "/a") (literal "/a/b"))"#]],
    );
    check("(path-ancestors \"a\")", expect!["E0224 <input string>:1:12: path must start with a /"]);
    check(
        "(allow file-read* (regex (string-append \"^\" (regex-quote \"/a.b[c]{d}\"))))",
        expect![[r##"
        (version 1)
        (allow file-read* (regex #"^/a\.b\[c]\{d}"))"##]],
    );
    check(
        "(allow file-read* (apply subpath (split-string \"/a:/b\" \":\")))",
        expect![[r#"
        (version 1)
        (allow file-read* (subpath "/a") (subpath "/b"))"#]],
    );
    check(
        "(allow system-fsctl (fsctl-command (_IO \"h\" 47)))",
        expect![[r#"
            (version 1)
            (allow system-fsctl (fsctl-command HFSIOC_SET_HOTFILE_STATE))"#]],
    );
    check(
        "(trace \"/tmp/t\") (trace \"/tmp/u\")",
        expect!["E0224 <input string>:1:29: only one trace path may be specified"],
    );
    check(
        "(debug (no such thing)) (record 1) (disable-callouts)",
        expect![[r#"
        (version 1)
        (disable-callouts)"#]],
    );
    check(
        "(if (sbpl-operation-can-return? file-read* 'allow) (allow default) (deny default))",
        expect![[r#"
        (version 1)
        (deny default)"#]],
    );
    check(
        "(let ((old %finalize)) (set! %finalize (lambda () (allow file-read*) (old)))) (deny default)",
        expect![[r#"
        (version 1)
        (deny default)
        (allow file-read*)"#]],
    );
    check(
        "(define-storage-class \"s\" (subpath \"/a\"))",
        expect!["E0223: storage class definition not permitted in this context"],
    );
    check(
        "(define-storage-class \"s\" (tty)) (define-storage-class \"s\" (tty))",
        expect![[r#"E0223 <input string>:1:45: storage class "s" multiply defined"#]],
    );
}

/// `spec/sbpl-language.md` section 14, and the golden error cases.
#[test]
fn unbound_names_say_what_was_perhaps_meant() {
    check(
        "(allow file-raed* (subpath \"/a\"))",
        expect![[r#"
        E0201 <input string>:1:19: unbound variable: file-raed* at <input string>, line 1, column 19

        Backtrace:
        <input string>:1:13:
        	(allow file-raed* (subpath "/a"))
        help: Did you mean file-read*?"#]],
    );
    check(
        "(deny default (with telemtry))",
        expect![[r#"
        E0201 <input string>:1:32: unbound variable: telemtry at <input string>, line 1, column 32

        Backtrace:
        <input string>:1:27:
        	(with telemtry)
        help: Did you mean telemetry?"#]],
    );
    check(
        "(allow file-read* (state-flagg \"x\"))",
        expect![[r#"
        E0201 <input string>:1:31: unbound variable: state-flagg at <input string>, line 1, column 31

        Backtrace:
        <input string>:1:31:
        	(state-flagg "x")
        help: Did you mean state-flag?"#]],
    );
    check(
        "(allow mach-task-exception-port-set)",
        expect![[r#"
            E0201 <input string>:1:19: unbound variable: mach-task-exception-port-set at <input string>, line 1, column 19

            Backtrace:
            <input string>:1:13:
            	(allow mach-task-exception-port-set)
            note: mach-task-exception-port-set exists since macos-15.2, not on macos-14.4
            help: Did you mean mach-host-exception-port-set?"#]],
    );
    expect![[r#"
        E0201 <input string>:1:19: unbound variable: iokit-open at <input string>, line 1, column 19

        Backtrace:
        <input string>:1:13:
        	(allow iokit-open)
        note: iokit-open exists in SBPL version 1, not in version 2
        help: Did you mean iokit-open*?"#]]
    .assert_eq(&run_with("(version 2)(allow iokit-open)", &NoImports, &EvalOptions::default()));
    check(
        "(allow iokit-open)",
        expect![[r#"
        warning: sandbox operation "iokit-open" is obsolete; replace with "iokit-open-user-client"
        (version 1)
        (allow iokit-open-user-client)"#]],
    );
}

#[test]
fn parameters() {
    check(
        "(allow file-read* (subpath (param \"ROOT\")))",
        expect![[r#"
        E0216 <input string>:1:30: invalid data type of path filter; expected pattern, got boolean
        help: parameter "ROOT" is not given: -D ROOT=…"#]],
    );
    check(
        "(define home (param \"HOME\")) (allow file-read* (subpath (string-append home \"/x\")))",
        expect![[r#"
        E0206 <input string>:1:68: string-append: argument 1 must be: string
        help: parameter "HOME" is not given: -D HOME=…"#]],
    );
    let params = Some(Params::from([("A".to_owned(), String::new())]));
    let options = EvalOptions { params, ..EvalOptions::default() };
    let text = "(version 1)(if (param \"A\") (allow file-read*)) (if (getenv \"B\") (deny default)) (if (assoc \"A\" *params*) (allow file-write*))";
    assert_eq!(run_with(text, &NoImports, &options), "(version 1)\n(allow file-read*)\n(allow file-write*)");
    let evaluation = evaluate(Source::new("t", text.as_bytes()), &NoImports, &options).unwrap();
    assert_eq!(evaluation.missing_params, ["B"]);
}

/// `spec/versions-and-defaults.md` sections 1.1.5 and 3.
#[test]
fn parameters_with_a_meaning() {
    let text = "(version 1)(deny default)(allow file-read* (literal \"/${HOME}\"))";
    let variables = |params: Option<Params>| {
        let options = EvalOptions { params, ..EvalOptions::default() };
        let policy = evaluate(Source::new("t", text.as_bytes()), &NoImports, &options).unwrap().policy;
        let mut on = false;
        policy.rules().iter().filter_map(|rule| rule.filter.as_ref()).for_each(|filter| {
            filter.for_each_test(&mut |test| {
                on |= matches!(&test.arg, crate::policy::Arg::Pattern(pattern) if pattern.has_variables());
            });
        });
        (on, policy.rules().iter().filter(|rule| rule.source == crate::policy::RuleSource::Implicit).count())
    };
    let with = |key: &str| Some(Params::from([(key.to_owned(), "0".to_owned())]));
    assert_eq!(variables(Some(Params::new())), (false, 1));
    assert_eq!(variables(None), (true, 1));
    assert_eq!(variables(with("ENABLE_PATTERN_VARIABLES")), (true, 1));
    assert_eq!(variables(with("NO_IMPLICIT_RULES")), (false, 0));
}

#[test]
fn versions() {
    // Torture case 39.
    expect![[r#"
        E0201 <input string>:1:2: unbound variable: deny at <input string>, line 1, column 2

        Backtrace:
        <input string>:1:2:
        	(deny default)
        help: Nothing of SBPL exists before (version 1): it must be the first form."#]]
    .assert_eq(&run_with("(deny default)(version 1)", &NoImports, &EvalOptions::default()));
    expect![[r#"
        E0202: no version specified
        help: A profile starts with (version 1)."#]]
    .assert_eq(&run_with("", &NoImports, &EvalOptions::default()));
    check("(version 1)", expect!["(version 1)"]);
    check("(version 2)", expect!["E0203 <input string>:1:12: only one version may be specified"]);
    check("(version 9)", expect!["E0203 <input string>:1:12: unsupported version 9"]);
    assert!(run_with("(version 2)", &NoImports, &on("macos-10.15")).contains("unsupported version 2"));
    let options = EvalOptions { minimum_version: Some(2), ..EvalOptions::default() };
    expect!["E0203 <input string>:1:1: SBPL version 2 or greater is required (got version 1)"].assert_eq(&run_with(
        "(version 1)",
        &NoImports,
        &options,
    ));
    // An imported file may say another version; the first decides.
    let loader = MemoryLoader::new().with("a.sb", "(version 3)(if *import-path* (allow file-read*))");
    expect![[r#"
        (version 1)
        (allow file-read*)"#]]
    .assert_eq(&run_with(
        "(version 1)(import \"a.sb\")(if *import-path* (deny default))",
        &loader,
        &EvalOptions::default(),
    ));
    expect![[r#"
        E0201 <input string>:1:13: unbound variable: debug at <input string>, line 1, column 13

        Backtrace:
        <input string>:1:13:
        	(debug deny)"#]]
    .assert_eq(&run_with("(version 2)(debug deny)", &NoImports, &EvalOptions::default()));
}

/// Rules of 14.4.1 that no profile writes, read off its blobs (`spec/codegen-rules.md` section 3).
#[test]
fn implicit_rules() {
    let implicit = |text: &str, target: &str| {
        let evaluation = evaluate(Source::new("t", text.as_bytes()), &NoImports, &on(target)).unwrap();
        let printer = print::Printer::new(evaluation.policy.target(), evaluation.policy.version());
        let rules = evaluation.policy.rules().iter().filter(|rule| rule.source == crate::policy::RuleSource::Implicit);
        rules.map(|rule| String::from_utf8(printer.rule(rule)).unwrap()).collect::<Vec<_>>().join("\n")
    };
    expect!["(allow signal mach-task-name mach-task-inspect mach-task-read (target self))"]
        .assert_eq(&implicit("(version 1)(deny default)", "macos-14.4"));
    expect![[r#"
        (allow signal mach-task-name mach-task-inspect mach-task-read (target self))
        (allow network-outbound (control-name "com.apple.flow-divert"))"#]]
    .assert_eq(&implicit("(version 1)(deny default)(allow network* (socket-type 1))", "macos-14.4"));
    expect![[r#"
        (allow signal mach-task-name mach-task-inspect mach-task-read (target self))
        (allow syscall-unix (syscall-number SYS_exit) (syscall-number SYS_kill))
        (allow syscall-mach (machtrap-number MSC_iokit_user_client_trap))"#]]
    .assert_eq(&implicit("(version 2)(allow iokit-open-user-client)", "macos-14.4"));
    expect!["(allow signal mach-task-name (target self))"]
        .assert_eq(&implicit("(version 1)(deny default)", "macos-10.15"));
}

#[test]
fn imports_run_in_the_global_scope_and_their_errors_name_the_way() {
    let loader = MemoryLoader::new()
        .with("a.sb", "(define (helper x)\n  (allow file-read* (literal x)))")
        .with("bad.sb", "(allow file-read*\n  (literal 5))")
        .with("open.sb", "(allow");
    let options = EvalOptions::default();
    let text = "(version 1)\n(define (f) (import \"a.sb\"))\n(f)\n(helper \"/a\")";
    let evaluation = evaluate(Source::new("top.sb", text.as_bytes()), &loader, &options).unwrap();
    let rule = evaluation.policy.rules().iter().find(|rule| rule.origin.is_some()).unwrap();
    let origin = rule.origin.as_ref().unwrap();
    let place = |location| {
        let (name, at) = evaluation.sources.position(location).unwrap();
        format!("{name}:{}:{}", at.line, at.column)
    };
    assert_eq!(place(origin.location), "a.sb:2:3");
    let way: Vec<_> = origin.via.iter().map(|frame| format!("{} {}", frame.name, place(frame.location))).collect();
    assert_eq!(way, ["helper top.sb:4:1"]);
    expect!["E0216 bad.sb:2:3: invalid data type of path filter; expected pattern, got number"].assert_eq(&run_with(
        "(version 1)(import \"bad.sb\")",
        &loader,
        &options,
    ));
    expect!["E0101 open.sb:1:7: syntax error: expecting ')'"].assert_eq(&run_with(
        "(version 1)(import \"open.sb\")",
        &loader,
        &options,
    ));
    expect![[r#"
        E0225 <input string>:1:12: unable to open none.sb
        note: no such file
        help: Name a directory to search with -I DIR."#]]
    .assert_eq(&run_with("(version 1)(import \"none.sb\")", &loader, &options));
}

#[test]
fn every_limit_has_its_own_error() {
    let loader = MemoryLoader::new().with("me.sb", "(import \"me.sb\")").with("x.sb", "(allow file-read*)");
    let code = |text: &str, options: EvalOptions| {
        let failure =
            evaluate(Source::new("t", format!("(version 1){text}").into_bytes()), &loader, &options).unwrap_err();
        failure.diagnostics[0].code.0
    };
    assert_eq!(code("(define (f) (f)) (f)", limited(|limits| limits.steps = 100_000)), "E0230");
    assert_eq!(code("(define (f s) (f (string-append s s))) (f \"xx\")", EvalOptions::default()), "E0231");
    assert_eq!(code("(define (f) (+ 1 (f))) (f)", limited(|limits| limits.depth = 10_000)), "E0232");
    assert_eq!(code("(import \"me.sb\")", EvalOptions::default()), "E0233");
    assert_eq!(code("(import \"x.sb\")(import \"x.sb\")", limited(|limits| limits.imports = 1)), "E0233");
    assert_eq!(code("(import \"x.sb\")(import \"x.sb\")", limited(|limits| limits.import_bytes = 20)), "E0233");
    assert_eq!(code("(define (f) (allow file-read*) (f)) (f)", limited(|limits| limits.rules = 100)), "E0234");
    let nested = "(define (f x n) (if (= n 0) x (f (require-not x) (- n 1)))) (allow file-read* (f (tty) 300))";
    assert_eq!(code(nested, EvalOptions::default()), "E0235");
    // A filter that shares its parts has 2^60 tests.
    let shared = "(define (f x n) (if (= n 0) x (f (require-all x x) (- n 1)))) (allow file-read* (f (tty) 60))";
    assert_eq!(code(shared, EvalOptions::default()), "E0235");
    // Copies of a long text in rules count as memory.
    let long = "(define s (make-string 1000000)) (define (f) (allow file-read* (literal s)) (f)) (f)";
    assert_eq!(code(long, limited(|limits| limits.heap_bytes = 64 << 20)), "E0231");
    let shared_lists = "(define (d x n) (if (= n 0) x (d (list x x) (- n 1)))) (allow (d '() 60))";
    assert_eq!(code(shared_lists, limited(|limits| limits.filter_tests = 10_000)), "E0235");
    let ancestors = "(define (f s n) (if (= n 0) s (f (string-append s s) (- n 1)))) (path-ancestors (f \"/a\" 16))";
    assert_eq!(code(ancestors, limited(|limits| limits.heap_bytes = 64 << 20)), "E0231");
    let names = "(define (f) (defined? (string->symbol (number->string (random-next)))) (f)) (f)";
    assert_eq!(code(names, limited(|limits| limits.steps = 100_000)), "E0230");
    let file = "../../../etc/passwd";
    assert_eq!(code(&format!("(import \"{file}\")"), EvalOptions::default()), "E0225");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever the words, an evaluation ends within its limits and without panic; what evaluates prints and evaluates again.
    #[test]
    fn token_soup(words in proptest::collection::vec(word(), 0..60)) {
        let text = format!("(version 1) {}", balance(&words));
        let options = limited(|limits| {
            limits.steps = 20_000;
            limits.heap_bytes = 4 << 20;
        });
        let loader = MemoryLoader::new().with("/a", "(allow file-read*)");
        if let Ok(evaluation) = evaluate(Source::new("soup", text.into_bytes()), &loader, &options) {
            let printed = print::policy(&evaluation.policy, true);
            prop_assert!(evaluate(Source::new("again", printed), &NoImports, &options).is_ok());
        }
    }
}

fn word() -> impl Strategy<Value = &'static str> {
    const WORDS: &[&str] = &[
        "(",
        "(",
        "(",
        ")",
        ")",
        ")",
        "allow",
        "deny",
        "default",
        "file-read*",
        "file-write*",
        "mach-lookup",
        "literal",
        "subpath",
        "regex",
        "global-name",
        "require-any",
        "require-all",
        "require-not",
        "with",
        "report",
        "no-log",
        "define",
        "lambda",
        "let",
        "let*",
        "letrec",
        "if",
        "cond",
        "case",
        "else",
        "=>",
        "and",
        "or",
        "begin",
        "set!",
        "quote",
        "'",
        "`",
        ",",
        ",@",
        "macro",
        "when",
        "apply",
        "map",
        "eval",
        "call/cc",
        "car",
        "cdr",
        "cons",
        "list",
        "append",
        "x",
        "y",
        "f",
        "\"/a\"",
        "\"^/b\"",
        "\"\"",
        "0",
        "1",
        "-1",
        "99999999999",
        "#t",
        "#f",
        "()",
        "#(1 2)",
        "string-append",
        "+",
        "import",
        "param",
        "with-filter",
        "with-modifier",
        "apply-message-filter",
        "path-ancestors",
        "version",
        "defined?",
        "%finalize",
        "delay",
        "force",
        "vector-ref",
        "make-string",
        "substring",
        "list-tail",
        "set-cdr!",
        "error",
        "catch",
        "do",
        "trace",
    ];
    proptest::sample::select(WORDS)
}

/// The words with parentheses closed or dropped so that most texts can be read.
fn balance(words: &[&str]) -> String {
    let mut depth = 0;
    let mut out = Vec::new();
    for word in words {
        match *word {
            ")" if depth == 0 => continue,
            ")" => depth -= 1,
            "(" => depth += 1,
            _ => {}
        }
        out.push(*word);
    }
    out.extend(std::iter::repeat_n(")", depth));
    out.join(" ")
}

/// Warnings are kept up to the limit; the last line says how many there were besides.
#[test]
fn warnings_have_a_limit() {
    let text = format!("(version 1)\n{}", "(allow iokit-open)\n".repeat(5));
    let mut options = EvalOptions::default();
    options.limits.warnings = 3;
    let warnings = evaluate(Source::new("t.sb", text.into_bytes()), &NoImports, &options).unwrap().warnings;
    let texts: Vec<&str> = warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!((texts.len(), texts.last()), (4, Some(&"2 more warnings")), "{texts:?}");
}
