//! A policy as SBPL text that evaluates to it again.
//!
//! Names are those of the policy's target and version; numbers are written as symbols where an enumeration has one. Strings
//! are bytes, so is the text. Rules of a prelude and implicit rules appear as comments only: evaluation adds them by itself.

use super::names::{Names, Shape};
use super::{
    Arg, Filter, Host, Modifier, ModifierValue, NetworkAddress, Policy, Rule, RuleSource, Test, protocol_name,
};
use crate::pattern::{Pattern, PatternKind};
use crate::syntax::write_string;
use crate::vocab::{FilterForm, FilterId, OpId, Spelling, Target};

/// Lines are broken where they would be longer.
const WIDTH: usize = 100;

/// What `(require-entitlement "name")` is on newer systems.
const IS_TRUE: &str = "%entitlement-is-bool-true";

/// SBPL as a tree, before lines are broken.
enum Doc {
    Atom(Vec<u8>),
    List(Vec<Doc>),
}

impl Doc {
    fn atom(text: impl AsRef<[u8]>) -> Self {
        Self::Atom(text.as_ref().to_vec())
    }

    fn string(text: &[u8]) -> Self {
        let mut out = Vec::new();
        write_string(&mut out, text);
        Self::Atom(out)
    }

    fn call(name: impl AsRef<[u8]>, arguments: impl IntoIterator<Item = Self>) -> Self {
        Self::List(std::iter::once(Self::atom(name)).chain(arguments).collect())
    }

    fn width(&self) -> usize {
        match self {
            Self::Atom(text) => text.len(),
            Self::List(items) => items.iter().map(|item| item.width() + 1).sum::<usize>() + 1,
        }
    }

    /// Recursion is bounded by the nesting of filters.
    fn write(&self, indent: usize, out: &mut Vec<u8>) {
        let items = match self {
            Self::Atom(text) => return out.extend_from_slice(text),
            Self::List(items) => items,
        };
        out.push(b'(');
        let flat = indent + self.width() <= WIDTH;
        // Words such as an operation stay beside the head; lists get lines of their own.
        let head = items.iter().take_while(|item| matches!(item, Self::Atom(_))).count().max(1);
        let mut column = indent + 1;
        for (index, item) in items.iter().enumerate() {
            let fits = column + 1 + item.width() <= WIDTH;
            if index > 0 && (flat || (index < head && fits)) {
                out.push(b' ');
                column += 1;
            } else if index > 0 {
                out.push(b'\n');
                out.resize(out.len() + indent + 4, b' ');
                column = indent + 4;
            }
            item.write(if flat { 0 } else { column }, out);
            column += item.width();
        }
        out.push(b')');
    }

    fn text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(0, &mut out);
        out
    }
}

/// Writes SBPL for one target and version.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    target: &'static Target,
    version: u8,
}

impl Printer {
    /// A printer for the names of `target` in SBPL version `version`.
    pub fn new(target: &'static Target, version: u8) -> Self {
        Self { target, version }
    }

    /// The spelling under which an operation can be written. One that an alias hides (`sysctl-write`) is given by its own
    /// name, which reads back as the alias.
    pub fn operation(&self, id: OpId) -> String {
        let name = self.target.operation(id).name;
        let means_it = |name: &str| matches!(self.target.spelling(name, self.version), Some(Spelling::Operation { id: found, .. }) if found == id);
        if means_it(name) {
            return name.to_owned();
        }
        let other = self.target.spellings(self.version).into_iter().map(|(name, _)| name).find(|name| means_it(name));
        other.unwrap_or_else(|| name.to_owned())
    }

    /// What the spelling of an operation reads back as: another one where no name means this one.
    pub fn reads_back_as(&self, id: OpId) -> Option<OpId> {
        match self.target.spelling(&self.operation(id), self.version) {
            Some(Spelling::Operation { id, .. }) => Some(id),
            _ => None,
        }
    }

    /// The name of a filter in one of its forms; paths by their short names.
    pub fn filter_name(&self, id: FilterId, form: FilterForm) -> String {
        let base = self.target.filter_name(id);
        match (base.as_ref(), form) {
            ("path", FilterForm::Exact) => "literal".to_owned(),
            ("path", FilterForm::Prefix) => "prefix".to_owned(),
            ("path", FilterForm::Regex) => "regex".to_owned(),
            (base, FilterForm::Exact) => base.to_owned(),
            (base, FilterForm::Prefix) => format!("{base}-prefix"),
            (base, FilterForm::Regex) => format!("{base}-regex"),
            (base, FilterForm::Subpath) if base.contains("path") => base.replacen("path", "subpath", 1),
            (base, FilterForm::Subpath) => format!("{base}-subpath"),
        }
    }

    /// A filter.
    pub fn filter(&self, filter: &Filter) -> Vec<u8> {
        let names = Names::of(std::iter::once(filter));
        names.find(filter).map_or_else(Vec::new, |number| self.condition_doc(number, &names).text())
    }

    /// A modifier, as an argument of a rule.
    pub fn modifier(&self, modifier: &Modifier) -> Vec<u8> {
        self.modifier_doc(modifier).text()
    }

    /// A rule, without line end.
    pub fn rule(&self, rule: &Rule) -> Vec<u8> {
        self.rule_doc(rule, &Names::of(rule.filter.iter())).text()
    }

    /// A list of rules, each with a line end. Conditions that would be repeated or nest deep have names, which are defined in front
    /// of the first rule that uses them.
    pub fn rules_by_names(&self, rules: &[Rule]) -> Vec<u8> {
        let mut names = Names::of(rules.iter().filter_map(|rule| rule.filter.as_ref()));
        let mut out = Vec::new();
        for rule in rules {
            let new = rule.filter.as_ref().map(|filter| names.meet(filter)).unwrap_or_default();
            for number in new {
                let name = Doc::atom(names.name(number).unwrap_or_default());
                out.extend(Doc::call("define", [name, self.group_doc(number, &names)]).text());
                out.push(b'\n');
            }
            out.extend(self.rule_doc(rule, &names).text());
            out.push(b'\n');
        }
        out
    }

    fn rule_doc(&self, rule: &Rule, names: &Names) -> Doc {
        let operations = rule.operations.iter().map(|&id| Doc::atom(self.operation(id)));
        let number = rule.filter.as_ref().and_then(|filter| names.find(filter));
        let filters = match number.map(|number| (number, names.shape(number), names.name(number))) {
            None => Vec::new(),
            // Filters side by side are an "or".
            Some((_, Some(Shape::Any(parts)), None)) if parts.len() > 1 => {
                parts.iter().map(|part| self.condition_doc(*part, names)).collect()
            }
            Some((number, ..)) => vec![self.condition_doc(number, names)],
        };
        let modifiers = rule.modifiers.iter().map(|modifier| self.modifier_doc(modifier));
        Doc::call(rule.action.name(), operations.chain(filters).chain(modifiers))
    }

    /// A condition of `names`, by its name if it has one.
    fn condition_doc(&self, number: usize, names: &Names) -> Doc {
        match names.name(number) {
            Some(name) => Doc::atom(name),
            None => self.group_doc(number, names),
        }
    }

    /// The condition itself. Recursion is bounded by the nesting of filters.
    fn group_doc(&self, number: usize, names: &Names) -> Doc {
        let group =
            |head: &str, parts: &[usize]| Doc::call(head, parts.iter().map(|part| self.condition_doc(*part, names)));
        match names.shape(number) {
            None => Doc::List(Vec::new()),
            Some(Shape::Test(test)) => self.test_doc(test),
            Some(Shape::All(parts)) => {
                self.entitlement_doc(parts, names).unwrap_or_else(|| group("require-all", parts))
            }
            Some(Shape::Any(parts)) => group("require-any", parts),
            Some(Shape::Not(inner)) => group("require-not", &[*inner]),
        }
    }

    /// `(require-entitlement …)` for the two tests that it makes.
    fn entitlement_doc(&self, parts: &[usize], names: &Names) -> Option<Doc> {
        let [load, value] = parts else { return None };
        let (Some(Shape::Test(load)), Some(Shape::Test(value))) = (names.shape(*load), names.shape(*value)) else {
            return None;
        };
        let (Arg::String(name), "%entitlement-load") = (&load.arg, &*self.target.filter_name(load.filter)) else {
            return None;
        };
        let name = Doc::string(name);
        let value_name = self.target.filter_name(value.filter);
        let value = match (&*value_name, &value.arg) {
            // Where there is a filter of its own for this, the two tests are another thing.
            ("%entitlement-boolean", Arg::Bool(true)) if self.target.filter_named(IS_TRUE).is_some() => return None,
            ("%entitlement-boolean", Arg::Bool(true)) => return Some(Doc::call("require-entitlement", [name])),
            ("%entitlement-boolean", Arg::Bool(false)) => Doc::call("entitlement-value", [Doc::atom("#f")]),
            ("%entitlement-string", Arg::Pattern(pattern)) => match pattern.kind() {
                PatternKind::Literal => Doc::call("entitlement-value", [Doc::string(pattern.text())]),
                PatternKind::Regex => Doc::call("entitlement-value-regex", [text_doc(pattern)]),
                _ => return None,
            },
            _ => return None,
        };
        Some(Doc::call("require-entitlement", [name, value]))
    }

    fn test_doc(&self, test: &Test) -> Doc {
        if let Arg::String(name) = &test.arg
            && self.target.filter_name(test.filter) == IS_TRUE
        {
            return Doc::call("require-entitlement", [Doc::string(name)]);
        }
        let form = match &test.arg {
            Arg::Pattern(pattern) => match pattern.kind() {
                PatternKind::Literal => FilterForm::Exact,
                PatternKind::Prefix => FilterForm::Prefix,
                PatternKind::Subpath => FilterForm::Subpath,
                PatternKind::Regex => FilterForm::Regex,
            },
            _ => FilterForm::Exact,
        };
        let symbols = self.target.filter(test.filter).and_then(|info| info.symbols);
        let arguments = match &test.arg {
            Arg::None => Vec::new(),
            Arg::Bool(truth) => vec![Doc::atom(if *truth { "#t" } else { "#f" })],
            Arg::Integer(number) => vec![self.number_doc(symbols, *number)],
            Arg::Integers(numbers) => numbers.iter().map(|&number| self.number_doc(symbols, number)).collect(),
            Arg::String(text) => vec![Doc::string(text)],
            Arg::Pattern(pattern) => vec![text_doc(pattern)],
            Arg::Network(address) => network_doc(address),
        };
        Doc::call(self.filter_name(test.filter, form), arguments)
    }

    /// The symbol if it reads back as this number, else the number.
    fn number_doc(&self, symbols: Option<&str>, number: u16) -> Doc {
        let symbol = symbols.and_then(|name| self.target.symbol_named(name, number)).filter(|symbol| {
            self.target.symbol_value(symbol) == Some(number) && self.target.spelling(symbol, self.version).is_none()
        });
        match symbol {
            Some(symbol) => Doc::atom(symbol),
            None => Doc::atom(number.to_string()),
        }
    }

    fn modifier_doc(&self, modifier: &Modifier) -> Doc {
        let name = self.target.modifier(modifier.id).map_or("unknown", |info| info.name);
        let argument = match &modifier.value {
            ModifierValue::Rules(filter) => {
                return Doc::call("apply-message-filter", {
                    let rules = filter.rules.iter();
                    rules.map(|rule| self.rule_doc(rule, &Names::of(rule.filter.iter())))
                });
            }
            ModifierValue::Flag => None,
            ModifierValue::Integer(number) => {
                let symbols = if name == "errno" { "errno" } else { "signal-number" };
                Some(self.number_doc(Some(symbols), *number))
            }
            ModifierValue::String(text) => Some(Doc::string(text)),
        };
        Doc::call("with", std::iter::once(Doc::atom(name)).chain(argument))
    }

    fn rules(&self, policy: &Policy, source: RuleSource, prefix: &str, out: &mut Vec<u8>) {
        for rule in policy.rules().iter().filter(|rule| rule.source == source) {
            for line in self.rule(rule).split(|&byte| byte == b'\n') {
                out.extend_from_slice(prefix.as_bytes());
                out.extend_from_slice(line);
                out.push(b'\n');
            }
        }
    }
}

/// A whole policy: version, options and the rules of the profile; the other rules as comments if `comments`.
pub fn policy(policy: &Policy, comments: bool) -> Vec<u8> {
    let printer = Printer::new(policy.target(), policy.version());
    let mut out = format!("(version {})\n", policy.version()).into_bytes();
    if let Some(path) = &policy.options.trace {
        out.extend(Doc::call("trace", [Doc::string(path)]).text());
        out.push(b'\n');
    }
    let options = [
        (policy.options.disable_callouts, "(disable-callouts)\n"),
        (policy.options.disable_full_symbolication, "(disable-full-symbolication)\n"),
    ];
    for (_, text) in options.into_iter().filter(|(set, _)| *set) {
        out.extend_from_slice(text.as_bytes());
    }
    let note = |source, title: &str, out: &mut Vec<u8>| {
        if comments && policy.rules().iter().any(|rule| rule.source == source) {
            out.extend_from_slice(format!(";; {title}:\n").as_bytes());
            printer.rules(policy, source, ";; ", out);
        }
    };
    note(RuleSource::Prelude, "rules of the version", &mut out);
    printer.rules(policy, RuleSource::Profile, "", &mut out);
    note(RuleSource::Implicit, "rules that the compiler adds", &mut out);
    out
}

/// Regexes as raw strings, which need no escapes, unless they hold what a raw string cannot.
fn text_doc(pattern: &Pattern) -> Doc {
    let text = pattern.text();
    if pattern.kind() != PatternKind::Regex || text.iter().any(|byte| matches!(byte, b'"' | 0..0x20)) {
        return Doc::string(text);
    }
    Doc::Atom([b"#\"", text, b"\""].concat())
}

fn network_doc(address: &NetworkAddress) -> Vec<Doc> {
    let protocol = match protocol_name(address.protocol) {
        Some(name) => Doc::atom(name),
        None => Doc::atom(address.protocol.to_string()),
    };
    let host = match address.host {
        Host::Any => "*",
        Host::Localhost => "localhost",
    };
    let port = address.port.map_or_else(|| "*".to_owned(), |port| port.to_string());
    vec![protocol, Doc::string(format!("{host}:{port}").as_bytes())]
}
