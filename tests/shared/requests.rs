//! Random requests near what a profile tests.

use sbpl::decide::{Address, Attribute, Family, PATH, Request, Transport, Value};
use sbpl::policy::{Arg, Policy, Test};
use sbpl::vocab::{ArgKind, OpId, Target};

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

    fn value(&mut self, test: &Test) -> Option<Value> {
        let suffix = ["", "x", "/x", "/x/y"][self.random.below(4)];
        let text = |text: &[u8]| Value::string([text, suffix.as_bytes()].concat());
        Some(match &test.arg {
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
            if let Some(value) = self.value(&test) {
                request.set(Attribute::Filter(test.filter), value);
            }
        }
        if request.get(&Attribute::Filter(PATH)).is_none() {
            request.set(Attribute::Filter(PATH), Value::string("/"));
        }
        Some(request)
    }
}
