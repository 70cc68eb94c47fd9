use super::*;

fn regex(text: &str) -> Pattern {
    Pattern::new(PatternKind::Regex, text, false).unwrap()
}

fn matches(pattern: &Pattern, subject: &str) -> bool {
    pattern.matches(subject.as_bytes(), &Variables::none())
}

#[test]
fn the_four_kinds_match_as_specified() {
    let cases: &[(Pattern, &[&str], &[&str])] = &[
        (Pattern::literal("/a"), &["/a"], &["/", "/a/", "/ab"]),
        (Pattern::prefix("/a"), &["/a", "/ab", "/a/b"], &["/", "/b"]),
        (Pattern::prefix(""), &["", "x"], &[]),
        (Pattern::subpath("/a"), &["/a", "/a/b", "/a/"], &["/ab", "/"]),
        (Pattern::subpath("/"), &["/", "/a", "/a/b"], &[]),
        (Pattern::subpath("/a/"), &["/a", "/a/b"], &["/ab"]),
        (regex("b"), &["abc", "b"], &["", "ac"]),
        (regex("^/a(/|$)"), &["/a", "/a/b"], &["/ab", "x/a"]),
        (regex("^/a(/|$)?"), &["/a", "/ab"], &["/b"]),
        (regex("/[^/]+/SC_Info/"), &["/x/SC_Info/y"], &["//SC_Info/", "/SC_Info/"]),
        (regex("a.c"), &["a\nc"], &["ac"]),
        (regex("(|_max)$"), &["x_max", "", "q"], &[]),
        (regex("a{2,3}$"), &["aa", "aaa", "baaaa"], &["a"]),
        (regex("^(ab)+$"), &["ab", "abab"], &["", "aba"]),
        (regex("\\."), &["a.b"], &["ab"]),
        (regex("a$b"), &[], &["a", "ab", "a$b"]),
        (regex("^[]a-]*$"), &["]a-", ""], &["b"]),
        (regex(""), &["", "x"], &[]),
    ];
    for (pattern, yes, no) in cases {
        for subject in *yes {
            assert!(matches(pattern, subject), "{pattern:?} should match {subject:?}");
        }
        for subject in *no {
            assert!(!matches(pattern, subject), "{pattern:?} should not match {subject:?}");
        }
    }
}

#[test]
fn regex_errors_name_the_place() {
    use RegexErrorKind as K;
    let cases: &[(&str, K, usize)] = &[
        ("(?i)^/x", K::CaretInside, 4),
        ("a^", K::CaretInside, 1),
        ("(a", K::MissingParenthesis, 0),
        ("a)", K::UnexpectedParenthesis, 1),
        ("a[bc", K::MissingBracket, 1),
        ("[z-a]", K::ReversedRange, 1),
        ("x|*", K::NothingToRepeat, 2),
        ("a\\", K::TrailingBackslash, 1),
        ("a{3,2}", K::BadBounds, 1),
        ("[[:alpha:]]", K::NamedClass, 1),
    ];
    for (text, kind, offset) in cases {
        let error = regex::parse(text.as_bytes()).unwrap_err();
        assert_eq!((error.kind, error.offset), (*kind, *offset), "{text}");
    }
}

#[test]
fn hostile_regexes_meet_limits_instead_of_the_stack() {
    let deep = [vec![b'('; 100_000 / 2], vec![b')'; 10]].concat();
    assert_eq!(regex::parse(&deep).unwrap_err().kind, RegexErrorKind::TooDeep);
    let stars = [vec![b'a'], vec![b'*'; 60_000]].concat();
    assert_eq!(regex::parse(&stars).unwrap_err().kind, RegexErrorKind::TooDeep);
    assert_eq!(regex::parse(b"((((a{99}){99}){99}){99})").unwrap_err().kind, RegexErrorKind::TooLarge);
    assert_eq!(regex::parse(&vec![b'a'; regex::MAX_TEXT + 1]).unwrap_err().kind, RegexErrorKind::TooLong);
}

#[test]
fn folding_happens_after_parsing() {
    let fold = |text: &str| String::from_utf8(regex(text).fold_case().text().to_vec()).unwrap();
    assert_eq!(fold("^/Users/[A-Z]+$"), "^/users/[a-z]+$");
    assert_eq!(fold("[A-z]"), "[\\[-za-z]");
    assert_eq!(fold("[^A-Z]"), "[^a-z]");
    assert_eq!(Pattern::literal("/Tmp/É").fold_case().text(), "/tmp/É".as_bytes());
    let home = Pattern::new(PatternKind::Subpath, "${HOME}/Library", true).unwrap();
    assert_eq!(home.fold_case().text(), b"${home}/library");
}

#[test]
fn variables_stand_for_their_values() {
    let mut variables = Variables::none();
    variables.add("HOME", "/users/a");
    variables.add("HOME", "/users/b");
    let pattern = Pattern::new(PatternKind::Subpath, "${HOME}/library", true).unwrap();
    assert!(pattern.matches(b"/users/b/library/x", &variables));
    assert!(!pattern.matches(b"/users/c/library", &variables));
    assert!(!pattern.matches(b"/library", &Variables::none()));
    assert!(!Pattern::new(PatternKind::Literal, "/$HOME{}", true).unwrap().has_variables());
    let text = Pattern::new(PatternKind::Literal, "${HOME}", false).unwrap();
    assert!(text.matches(b"${HOME}", &variables));
    let regex = Pattern::new(PatternKind::Regex, "^${HOME}/[0-9]+$", true).unwrap();
    assert!(regex.matches(b"/users/a/12", &variables) && !regex.matches(b"/users/a/x", &variables));
}

/// Names of system profiles that say what they stand for.
#[test]
fn some_variables_have_a_meaning_of_their_own() {
    let pattern = |text: &str| Pattern::new(PatternKind::Literal, text, true).unwrap();
    let uuid = pattern("/v/${ANY_UUID}/x");
    assert_eq!(uuid.free_variables().count(), 0);
    assert!(matches(&uuid, "/v/1A2b3c4d-0000-1111-2222-333344445555/x"));
    for not in ["/v/1A2b3c4d-0000-1111-2222-33334444555/x", "/v/gA2b3c4d-0000-1111-2222-333344445555/x", "/v//x"] {
        assert!(!matches(&uuid, not), "{not}");
    }
    let component = pattern("/v/${any_path_component}/x");
    assert!(matches(&component, "/v/a.b/x") && !matches(&component, "/v/a/b/x") && !matches(&component, "/v//x"));
    let mut variables = Variables::none();
    variables.add("any_uuid", "1");
    assert!(uuid.matches(b"/v/1/x", &variables));
    assert_eq!(pattern("${HOME}/${any_uuid}").free_variables().collect::<Vec<_>>(), [b"HOME"]);
}

#[test]
fn printed_regexes_parse_back_to_the_same_tree() {
    for text in [
        "a(b|c)*d",
        "(|x)$",
        "(x|)",
        "^((a|b)|c)",
        "a|(b|c)",
        "(a*)*",
        "[^]\\-x]",
        "(ab)?",
        "()*a",
        "\\{2\\}",
        "^(/|$)?",
    ] {
        let tree = regex::parse(text.as_bytes()).unwrap();
        assert_eq!(regex::parse(&tree.to_source()).unwrap(), tree, "{text}");
    }
}

/// What is written as regex code is read again, and written the same: also where an empty alternative goes back by a jump, as the end
/// of `x+` does.
#[test]
fn regex_code_is_read_back() {
    for text in [
        "^(c|(|b))x+y",
        "(|(|b))/.*x*",
        "(a|(|b)|c)x+",
        "((|b)|c)x+",
        "((a|(|b))|c+|(d?)?)/.*",
        "(/x|([A-Z]|y)|b*)(x-0)+[a-c]",
        "(.|(([ab]|[cd])|([A-Z]|-))|(|./|0?))$",
        "(a+b+)+(|c)+",
        "(a|(|b+))+",
    ] {
        let record = regex::code::encode(&regex::parse(text.as_bytes()).unwrap()).unwrap();
        let again = regex::code::decode(&record).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(regex::code::encode(&again).unwrap(), record, "{text}");
    }
}
