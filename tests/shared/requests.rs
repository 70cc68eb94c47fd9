//! Random requests near what a profile tests.

use sbpl::decide::{Address, Attribute, Family, PATH, Request, Transport, Value};
use sbpl::pattern::Pattern;
use sbpl::policy::{Arg, Policy, Test};
use sbpl::vocab::{ArgKind, OpId, Target};

/// How many requests are asked of each pair of profiles that are to agree: without optimisation fewer, so that the gate keeps
/// its time.
pub(crate) const REQUESTS: usize = if cfg!(debug_assertions) { 300 } else { 10_000 };

/// The same numbers in every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }
}

/// Requests whose values are those that a profile tests, changed a little now and then.
pub(crate) struct Requests {
    target: &'static Target,
    operations: Vec<OpId>,
    tests: Vec<Test>,
    random: Random,
}

impl Requests {
    pub(crate) fn new(policy: &Policy) -> Self {
        let target = policy.target();
        let mut tests = Vec::new();
        for rule in policy.rules() {
            if let Some(filter) = &rule.filter {
                filter.for_each_test(&mut |test| tests.push(test.clone()));
            }
        }
        let in_table = target.operations().iter().filter(|operation| operation.in_op_table);
        Self { target, operations: in_table.map(|operation| operation.id).collect(), tests, random: Random(1) }
    }

    /// `text` with its variables replaced, and what they then stand for.
    fn filled(&self, pattern: &Pattern) -> (Vec<u8>, Vec<(Attribute, Value)>) {
        let mut text = String::from_utf8_lossy(pattern.text()).into_owned();
        for name in pattern.variable_names() {
            let name = String::from_utf8_lossy(name);
            let uuid = name.eq_ignore_ascii_case("any_uuid");
            let value = if uuid { "1A2B3C4D-0000-1111-2222-333344445555" } else { "/v" };
            text = text.replace(&format!("${{{name}}}"), value);
        }
        let free = pattern.free_variables();
        (
            text.into_bytes(),
            free.map(|name| (Attribute::Variable(name.to_ascii_lowercase()), Value::string("/v"))).collect(),
        )
    }

    fn value(&mut self, test: &Test, variables: &mut Vec<(Attribute, Value)>) -> Option<Value> {
        let suffix = ["", "x", "/x", "/x/y"][self.random.below(4)];
        let text = |text: &[u8]| Value::string([text, suffix.as_bytes()].concat());
        Some(match &test.arg {
            Arg::Pattern(pattern) if pattern.has_variables() => {
                let (filled, values) = self.filled(pattern);
                variables.extend(values);
                text(&filled)
            }
            Arg::Pattern(pattern) => text(pattern.text()),
            Arg::String(string) => text(string),
            Arg::Integer(number) => Value::number(number.wrapping_add(self.random.below(2) as u16)),
            Arg::Integers(numbers) => Value::Numbers(numbers.iter().take(1).copied().collect()),
            Arg::Bool(flag) => Value::Flag(*flag),
            Arg::None if self.target.filter(test.filter).is_some_and(|info| info.argument == ArgKind::Bool) => {
                Value::Flag(true)
            }
            Arg::None => return None,
            Arg::Network(address) => Value::Address(Address {
                family: Some(if self.random.below(2) == 0 { Family::V4 } else { Family::V6 }),
                transport: Some(if self.random.below(2) == 0 { Transport::Tcp } else { Transport::Udp }),
                local: Some(self.random.below(2) == 0),
                port: Some(address.port.unwrap_or(22)),
            }),
        })
    }
}

impl Iterator for Requests {
    type Item = Request;

    fn next(&mut self) -> Option<Request> {
        let operation = self.operations[self.random.below(self.operations.len())];
        let mut request = Request::new(operation).with_path("/private/tmp/x");
        request.closed = true;
        for _ in 0..self.random.below(4) {
            if self.tests.is_empty() {
                break;
            }
            let test = self.tests[self.random.below(self.tests.len())].clone();
            let mut variables = Vec::new();
            if let Some(value) = self.value(&test, &mut variables) {
                request.set(Attribute::Filter(test.filter), value);
            }
            for (variable, value) in variables {
                request.set(variable, value);
            }
        }
        if request.get(&Attribute::Filter(PATH)).is_none() {
            request.set(Attribute::Filter(PATH), Value::string("/"));
        }
        Some(request)
    }
}
