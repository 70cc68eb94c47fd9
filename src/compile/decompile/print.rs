//! Rules as SBPL text.

use crate::pattern::PatternKind;
use crate::policy::{Arg, Filter, Host, Modifier, ModifierValue, NetworkAddress, Rule, Test, protocol_name};
use crate::syntax::write_string;
use crate::vocab::{FilterId, FilterInfo, Target};

/// Lines are broken before they get longer than this.
const WIDTH: usize = 100;

/// A whole profile.
pub(super) fn profile(target: &Target, version: u8, rules: &[Rule], lost: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(b";; Decompiled for ");
    out.extend(target.name().bytes());
    out.extend(b". Left out, because the compiler adds it: what the version allows by itself,\n");
    out.extend(b";; (target self) for signal and the task operations, flow-divert, inferred system calls.\n");
    for line in lost {
        out.extend(b";; NOT SAID: ");
        out.extend(line.bytes().map(|byte| if byte < b' ' { b' ' } else { byte }));
        out.push(b'\n');
    }
    out.extend(format!("(version {version})\n").bytes());
    for rule in rules {
        let mut printer = Printer { target, out };
        printer.rule(rule, 0);
        out = printer.out;
        out.push(b'\n');
    }
    out
}

struct Printer<'t> {
    target: &'t Target,
    out: Vec<u8>,
}

impl Printer<'_> {
    fn rule(&mut self, rule: &Rule, indent: usize) {
        let target = self.target;
        let names = rule.operations.iter().map(|id| target.operation(*id).name.as_bytes().to_vec());
        let mut parts: Vec<Vec<u8>> = names.collect();
        match &rule.filter {
            Some(Filter::Any(filters)) => parts.extend(self.groups(filters, indent + 2)),
            Some(filter) => parts.push(self.filter(filter, indent + 2)),
            None => {}
        }
        parts.extend(rule.modifiers.iter().map(|modifier| self.modifier(modifier, indent + 2)));
        let form = form(rule.action.name().as_bytes(), &parts, indent);
        self.out.extend(form);
    }

    /// Filters in a row; neighbouring tests of one filter become one form with several arguments.
    fn groups(&self, filters: &[Filter], indent: usize) -> Vec<Vec<u8>> {
        let mut out: Vec<Vec<u8>> = Vec::new();
        let mut open: Option<(Vec<u8>, Vec<Vec<u8>>)> = None;
        let close = |open: Option<(Vec<u8>, Vec<Vec<u8>>)>, out: &mut Vec<Vec<u8>>| {
            if let Some((name, arguments)) = open {
                out.push(form(&name, &arguments, indent));
            }
        };
        for filter in filters {
            match filter {
                Filter::Test(test) => {
                    let (name, argument) = self.test(test);
                    let joins = !matches!(test.arg, Arg::Network(_) | Arg::None | Arg::Integers(_));
                    match &mut open {
                        Some((known, arguments)) if *known == name && joins => arguments.extend(argument),
                        _ => {
                            close(open.take(), &mut out);
                            open = Some((name, argument));
                        }
                    }
                }
                other => {
                    close(open.take(), &mut out);
                    out.push(self.filter(other, indent));
                }
            }
        }
        close(open, &mut out);
        out
    }

    /// Filters nest at most [`crate::policy::MAX_FILTER_DEPTH`] deep.
    fn filter(&self, filter: &Filter, indent: usize) -> Vec<u8> {
        match filter {
            Filter::Test(test) => {
                let (name, arguments) = self.test(test);
                form(&name, &arguments, indent)
            }
            Filter::Not(inner) => form(b"require-not", &[self.filter(inner, indent + 2)], indent),
            Filter::Any(parts) => match self.groups(parts, indent).as_slice() {
                // Several arguments are an "or" by themselves.
                [only] => only.clone(),
                _ => form(b"require-any", &self.groups(parts, indent + 2), indent),
            },
            Filter::All(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.filter(part, indent + 2)).collect();
                form(b"require-all", &parts, indent)
            }
        }
    }

    /// The filter's word in the form that the argument asks for, and the arguments.
    fn test(&self, test: &Test) -> (Vec<u8>, Vec<Vec<u8>>) {
        let info = self.target.filter(test.filter);
        let name = info.map_or_else(|| self.target.filter_name(test.filter).into_owned(), |info| info.name.to_owned());
        let plain = |arguments: Vec<Vec<u8>>| (name.clone().into_bytes(), arguments);
        match &test.arg {
            Arg::None => plain(Vec::new()),
            Arg::Bool(value) => plain(vec![if *value { b"#t".to_vec() } else { b"#f".to_vec() }]),
            Arg::Integer(value) => plain(vec![self.number(info, *value)]),
            Arg::Integers(values) => plain(values.iter().map(|value| self.number(info, *value)).collect()),
            Arg::String(text) => plain(vec![string(text)]),
            Arg::Network(address) => plain(network(address)),
            Arg::Pattern(pattern) => {
                let is_path = test.filter == FilterId(1);
                let word = match pattern.kind() {
                    PatternKind::Literal if is_path => "literal".to_owned(),
                    PatternKind::Prefix if is_path => "prefix".to_owned(),
                    PatternKind::Subpath if is_path => "subpath".to_owned(),
                    PatternKind::Regex if is_path => "regex".to_owned(),
                    PatternKind::Literal => name,
                    PatternKind::Prefix => format!("{name}-prefix"),
                    PatternKind::Subpath => name.replacen("path", "subpath", 1),
                    PatternKind::Regex => format!("{name}-regex"),
                };
                let argument =
                    if pattern.kind() == PatternKind::Regex { raw(pattern.text()) } else { string(pattern.text()) };
                (word.into_bytes(), vec![argument])
            }
        }
    }

    fn number(&self, info: Option<&FilterInfo>, value: u16) -> Vec<u8> {
        let symbol = info.and_then(|info| self.target.symbol_named(info.symbols?, value));
        // A symbol that several enumerations give different numbers is not used.
        let symbol = symbol.filter(|symbol| self.target.symbol_value(symbol) == Some(value));
        symbol.map_or_else(|| value.to_string().into_bytes(), |symbol| symbol.as_bytes().to_vec())
    }

    fn modifier(&self, modifier: &Modifier, indent: usize) -> Vec<u8> {
        let info = self.target.modifier(modifier.id);
        let name = info.map_or_else(|| format!("modifier-{}", modifier.id.0), |info| info.name.to_owned());
        let with = |argument: Option<Vec<u8>>| {
            let parts: Vec<Vec<u8>> = [name.clone().into_bytes()].into_iter().chain(argument).collect();
            form(b"with", &parts, indent)
        };
        match &modifier.value {
            ModifierValue::Flag => with(None),
            ModifierValue::Integer(number) => {
                let symbols = if name == "errno" { "errno" } else { "signal-number" };
                let symbol = self.target.symbol_named(symbols, *number);
                let symbol = symbol.filter(|symbol| self.target.symbol_value(symbol) == Some(*number));
                with(Some(symbol.map_or_else(|| number.to_string().into_bytes(), |symbol| symbol.as_bytes().to_vec())))
            }
            ModifierValue::String(text) => with(Some(string(text))),
            ModifierValue::Rules(filter) => {
                let mut parts = Vec::new();
                for rule in &filter.rules {
                    let mut inner = Printer { target: self.target, out: Vec::new() };
                    inner.rule(rule, indent + 2);
                    parts.push(inner.out);
                }
                form(b"apply-message-filter", &parts, indent)
            }
        }
    }
}

/// `(head part …)`, on one line if it fits.
fn form(head: &[u8], parts: &[Vec<u8>], indent: usize) -> Vec<u8> {
    let length = head.len() + 2 + parts.iter().map(|part| part.len() + 1).sum::<usize>();
    let fits = indent + length <= WIDTH && !parts.iter().any(|part| part.contains(&b'\n'));
    let mut out = vec![b'('];
    out.extend(head);
    for part in parts {
        if fits {
            out.push(b' ');
        } else {
            out.push(b'\n');
            out.extend(std::iter::repeat_n(b' ', indent + 2));
        }
        out.extend(part);
    }
    out.push(b')');
    out
}

fn string(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_string(&mut out, text);
    out
}

/// A raw string where one can hold the text.
fn raw(text: &[u8]) -> Vec<u8> {
    if text.iter().any(|byte| *byte == b'"' || *byte < b' ') {
        return string(text);
    }
    [b"#\"", text, b"\""].concat()
}

fn network(address: &NetworkAddress) -> Vec<Vec<u8>> {
    let protocol = protocol_name(address.protocol).map_or_else(|| address.protocol.to_string(), str::to_owned);
    let host = match address.host {
        Host::Any => "*",
        Host::Localhost => "localhost",
    };
    let port = address.port.map_or_else(|| "*".to_owned(), |port| port.to_string());
    vec![protocol.into_bytes(), format!("\"{host}:{port}\"").into_bytes()]
}
