//! Rules as SBPL: flat text that evaluates to the same rule again.

use std::fmt::Write;

use super::{Arg, Filter, Host, Modifier, ModifierValue, NetworkAddress, Rule, Test, protocol_name};
use crate::pattern::{Pattern, PatternKind};
use crate::vocab::{FilterId, Target};

/// `rule` on one line.
pub fn rule_text(target: &Target, rule: &Rule) -> String {
    let mut text = format!("({}", rule.action);
    for operation in &rule.operations {
        push(&mut text, target.operation(*operation).name);
    }
    if let Some(filter) = &rule.filter {
        push(&mut text, &filter_text(target, filter));
    }
    for modifier in &rule.modifiers {
        push(&mut text, &modifier_text(target, modifier));
    }
    text.push(')');
    text
}

fn push(text: &mut String, word: &str) {
    text.push(' ');
    text.push_str(word);
}

/// `filter` on one line. Recursion is bounded by [`super::MAX_FILTER_DEPTH`].
pub fn filter_text(target: &Target, filter: &Filter) -> String {
    match filter {
        Filter::Test(test) => test_text(target, test),
        Filter::Not(inner) => format!("(require-not {})", filter_text(target, inner)),
        Filter::All(parts) => entitlement_text(target, parts).unwrap_or_else(|| group(target, "require-all", parts)),
        Filter::Any(parts) => group(target, "require-any", parts),
    }
}

fn group(target: &Target, word: &str, parts: &[Filter]) -> String {
    let mut text = format!("({word}");
    parts.iter().for_each(|part| push(&mut text, &filter_text(target, part)));
    text.push(')');
    text
}

/// The form that profiles write for a load and a test of the loaded value.
fn entitlement_text(target: &Target, parts: &[Filter]) -> Option<String> {
    let [Filter::Test(load), Filter::Test(value)] = parts else { return None };
    let is = |test: &Test, name| target.filter_named(name) == Some(test.filter);
    let Arg::String(name) = &load.arg else { return None };
    if !is(load, "%entitlement-load") {
        return None;
    }
    let name = quote(name);
    Some(match &value.arg {
        Arg::Bool(true) if is(value, "%entitlement-boolean") => format!("(require-entitlement {name})"),
        Arg::Bool(false) if is(value, "%entitlement-boolean") => {
            format!("(require-entitlement {name} (entitlement-value #f))")
        }
        Arg::Pattern(pattern) if is(value, "%entitlement-string") => {
            let word = match pattern.kind() {
                PatternKind::Literal => "entitlement-value",
                PatternKind::Regex => "entitlement-value-regex",
                PatternKind::Prefix | PatternKind::Subpath => return None,
            };
            format!("(require-entitlement {name} ({word} {}))", pattern_argument(pattern))
        }
        _ => return None,
    })
}

/// One test, as `(subpath "/a")` or `(socket-domain AF_INET)`.
pub fn test_text(target: &Target, test: &Test) -> String {
    let name = target.filter_name(test.filter);
    let argument = match &test.arg {
        Arg::None => return format!("({name})"),
        Arg::Bool(value) => if *value { "#t" } else { "#f" }.to_owned(),
        Arg::Integer(number) => number_text(target, test.filter, *number),
        Arg::Integers(numbers) => {
            let words: Vec<String> = numbers.iter().map(|number| number_text(target, test.filter, *number)).collect();
            words.join(" ")
        }
        Arg::String(text) => quote(text),
        Arg::Pattern(pattern) => {
            return format!("({} {})", pattern_filter(&name, pattern.kind()), pattern_argument(pattern));
        }
        Arg::Network(address) => network_text(address),
    };
    format!("({name} {argument})")
}

/// The name of a filter's form; the forms of `path` have short names.
fn pattern_filter(name: &str, kind: PatternKind) -> String {
    match (name, kind) {
        ("path", PatternKind::Literal) => "literal".to_owned(),
        ("path", PatternKind::Prefix) => "prefix".to_owned(),
        ("path", PatternKind::Regex) => "regex".to_owned(),
        (name, PatternKind::Literal) => name.to_owned(),
        (name, PatternKind::Prefix) => format!("{name}-prefix"),
        (name, PatternKind::Regex) => format!("{name}-regex"),
        (name, PatternKind::Subpath) if name.contains("path") => name.replacen("path", "subpath", 1),
        (name, PatternKind::Subpath) => format!("{name}-subpath"),
    }
}

fn pattern_argument(pattern: &Pattern) -> String {
    let text = pattern.text();
    // A raw string has no escapes and ends at the next quote.
    let raw =
        pattern.kind() == PatternKind::Regex && text.iter().all(|byte| (b' '..=b'~').contains(byte) && *byte != b'"');
    if raw { format!("#\"{}\"", String::from_utf8_lossy(text)) } else { quote(text) }
}

fn number_text(target: &Target, filter: FilterId, number: u16) -> String {
    let symbols = target.filter(filter).and_then(|info| info.symbols);
    let symbol = symbols.and_then(|name| target.symbol_named(name, number));
    symbol.map_or_else(|| number.to_string(), str::to_owned)
}

fn network_text(address: &NetworkAddress) -> String {
    let protocol = protocol_name(address.protocol).map_or_else(|| address.protocol.to_string(), str::to_owned);
    let host = match address.host {
        Host::Any => "*",
        Host::Localhost => "localhost",
    };
    match address.port {
        None => format!("{protocol} \"{host}:*\""),
        Some(port) => format!("{protocol} \"{host}:{port}\""),
    }
}

/// A modifier as rules carry it: `(with no-log)`.
pub fn modifier_text(target: &Target, modifier: &Modifier) -> String {
    let name =
        target.modifier(modifier.id).map_or_else(|| format!("modifier-{}", modifier.id.0), |info| info.name.to_owned());
    match &modifier.value {
        ModifierValue::Flag => format!("(with {name})"),
        ModifierValue::Integer(number) => format!("(with {name} {number})"),
        ModifierValue::String(text) => format!("(with {name} {})", quote(text)),
        ModifierValue::Rules(filter) => {
            let mut text = "(apply-message-filter".to_owned();
            filter.rules.iter().for_each(|rule| push(&mut text, &rule_text(target, rule)));
            text.push(')');
            text
        }
    }
}

/// `bytes` as a plain SBPL string: what is not printable ASCII as `\xHH`.
pub fn quote(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push('"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            b' '..=b'~' => text.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(text, "\\x{byte:02x}")),
        }
    }
    text.push('"');
    text
}
