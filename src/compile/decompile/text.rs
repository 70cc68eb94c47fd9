//! The rules of a profile as a text, with a head that says how to compile it.

use std::collections::BTreeSet;

use crate::policy::print::Printer;
use crate::policy::{Arg, Filter, Modifier, ModifierValue, Rule};
use crate::vocab::{OpId, Target};

/// The parameter where nothing may be implied: of a profile that defines storage classes (they are allowed nowhere else), and of
/// one without the rules that the compiler adds.
const NO_IMPLICIT_RULES: &str = "NO_IMPLICIT_RULES";
/// The parameter without which `${NAME}` is not a variable, for a compiler that is given parameters at all.
const ENABLE_PATTERN_VARIABLES: &str = "ENABLE_PATTERN_VARIABLES";

/// The parameters that a text with `rules` needs. `explicit`: nothing is left to the compiler but what the version allows.
pub(super) fn params(explicit: bool, rules: &[Rule]) -> Vec<&'static str> {
    let needed = [(explicit, NO_IMPLICIT_RULES), (has_variables(rules), ENABLE_PATTERN_VARIABLES)];
    needed.into_iter().filter_map(|(needed, name)| needed.then_some(name)).collect()
}

/// Whether a rule, or one in its message filters, tests a pattern that holds a variable.
fn has_variables(rules: &[Rule]) -> bool {
    let in_filter = |filter: &Filter| {
        let mut found = false;
        filter.for_each_test(&mut |test| {
            found |= matches!(&test.arg, Arg::Pattern(pattern) if pattern.has_variables());
        });
        found
    };
    let in_messages = |modifier: &Modifier| match &modifier.value {
        ModifierValue::Rules(filter) => filter.rules.iter().filter_map(|rule| rule.filter.as_ref()).any(in_filter),
        _ => false,
    };
    rules.iter().any(|rule| rule.filter.as_ref().is_some_and(in_filter) || rule.modifiers.iter().any(in_messages))
}

/// Rules of operations whose name means another one: the text says them of that one, for no other name exists.
pub(super) fn without_name(target: &'static Target, version: u8, rules: &[Rule]) -> Vec<String> {
    let printer = Printer::new(target, version);
    let operations: BTreeSet<OpId> = rules.iter().flat_map(|rule| rule.operations.iter().copied()).collect();
    let other = |id: OpId| printer.reads_back_as(id).filter(|read| *read != id);
    let name = |id: OpId| target.operation(id).name;
    let sentence = |id, read| {
        format!("{}: this name means {} and no other name exists, so its rules apply to {1} too", name(id), name(read))
    };
    operations.into_iter().filter_map(|id| Some(sentence(id, other(id)?))).collect()
}

/// The whole profile as text: what is left out, with which parameters it is compiled, what could not be said, the rules.
pub(super) fn text(target: &'static Target, version: u8, params: &[&str], rules: &[Rule], lost: &[String]) -> Vec<u8> {
    let name = target.name();
    let mut head = if params.contains(&NO_IMPLICIT_RULES) {
        format!(
            ";; Decompiled for {name}. Left out: what the version allows by itself. Nothing else is left to the compiler.\n"
        )
    } else {
        format!(
            ";; Decompiled for {name}. Left out, because the compiler adds it: what the version allows by itself,\n\
             ;; (target self) for signal and the task operations, flow-divert, inferred system calls.\n"
        )
    };
    if !params.is_empty() {
        let options: Vec<String> = params.iter().map(|name| format!("-D {name}=1")).collect();
        head += &format!(";; Compile it with {}.\n", options.join(" "));
    }
    let mut out = head.into_bytes();
    for line in lost {
        let line = line.replace(|c: char| c.is_control(), " ");
        out.extend_from_slice(format!(";; NOT SAID: {line}\n").as_bytes());
    }
    out.extend_from_slice(format!("(version {version})\n").as_bytes());
    let printer = Printer::new(target, version);
    out.extend(printer.rules_by_names(rules));
    out
}
