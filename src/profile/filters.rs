//! Filters: from a call such as `(subpath "/tmp")` to tests (`spec/sbpl-language.md` section 9).

use indexmap::IndexSet;

use super::error::ProfileError;
use super::host::{Evaluator, Failure};
use super::object::{EntitlementTest, FilterRef, Object};
use crate::pattern::{Pattern, PatternKind};
use crate::policy::{Arg, Test};
use crate::scheme::{Call, Heap, Outcome, Value};
use crate::vocab::{ArgKind, FilterForm, FilterId, FilterInfo};

impl Evaluator<'_> {
    /// A call of a filter. Several arguments are an "or" in source order; `()` counts as nothing, as WebKit's `(when …)`
    /// arguments need it.
    pub(super) fn make_filter(
        &mut self,
        id: FilterId,
        form: FilterForm,
        call: &Call<'_>,
        heap: &mut Heap,
    ) -> Result<Outcome, Failure> {
        let Some(info) = self.target().filter(id) else {
            return Err(ProfileError::MalformedFilter { filter: "unknown", problem: String::new() }.into());
        };
        if info.argument == ArgKind::Network {
            let filter = self.network_filter(info, call.arguments, heap)?;
            return self.filter(filter, heap);
        }
        let arguments: Vec<(usize, Value)> =
            call.arguments.iter().copied().enumerate().filter(|(_, value)| *value != Value::Nil).collect();
        let takes_none = info.argument == ArgKind::Bool || info.name == "extension";
        if arguments.is_empty() && takes_none {
            let filter = self.filters.test(Test { filter: id, arg: Arg::None });
            return self.filter(filter, heap);
        }
        if arguments.is_empty() {
            return Err(malformed(info, "it needs at least one argument").into());
        }
        if info.argument == ArgKind::Bitmask {
            let mut numbers = Vec::new();
            for (index, value) in arguments {
                numbers.push(number(info, index, value)?);
            }
            numbers.sort_unstable();
            numbers.dedup();
            let filter = self.filters.test(Test { filter: id, arg: Arg::Integers(numbers) });
            return self.filter(filter, heap);
        }
        let mut tests = Vec::with_capacity(arguments.len());
        for (index, value) in arguments {
            let arg = self.argument(info, form, index, value, heap)?;
            // Every test has a copy of its text. Without memory the machine reports its own limit.
            let bytes = self.filters.take_new_bytes();
            if !heap.reserve(bytes) {
                return Err(malformed(info, "there is no memory for it").into());
            }
            heap.charge(bytes);
            tests.push(self.filters.test(Test { filter: id, arg }));
        }
        let filter = self.filters.any(tests);
        self.filter(filter, heap)
    }

    fn argument(
        &self,
        info: &FilterInfo,
        form: FilterForm,
        index: usize,
        value: Value,
        heap: &Heap,
    ) -> Result<Arg, ProfileError> {
        let wrong = |expected| wrong_type(info, index, expected, value);
        match info.argument {
            ArgKind::Bool => match value {
                Value::Bool(truth) => Ok(Arg::Bool(truth)),
                _ => Err(wrong("boolean")),
            },
            ArgKind::Integer | ArgKind::Bitfield => number(info, index, value).map(Arg::Integer),
            ArgKind::String => {
                heap.bytes(value).map(|bytes| Arg::String(bytes.to_vec())).ok_or_else(|| wrong("string"))
            }
            _ => {
                let text = heap.bytes(value).ok_or_else(|| wrong("pattern"))?;
                self.pattern(info, form, text).map(Arg::Pattern)
            }
        }
    }

    /// A string test. Pattern variables work in every filter whose strings are patterns, when they are on: the iOS 13 and iOS 17
    /// collections test `ipc-posix-name` and `iokit-registry-entry-class` with them.
    pub(super) fn pattern(&self, info: &FilterInfo, form: FilterForm, text: &[u8]) -> Result<Pattern, ProfileError> {
        let kind = match form {
            FilterForm::Exact => PatternKind::Literal,
            FilterForm::Prefix => PatternKind::Prefix,
            FilterForm::Subpath if text.is_empty() => {
                return Err(malformed(info, "a subpath cannot be empty; \"/\" is everything"));
            }
            FilterForm::Subpath => PatternKind::Subpath,
            FilterForm::Regex => PatternKind::Regex,
        };
        let variables = info.argument.is_pattern() && self.options.has_pattern_variables();
        Pattern::new(kind, text, variables)
            .map_err(|error| ProfileError::Regex { error, text: String::from_utf8_lossy(text).into_owned() })
    }

    /// `(tty)` and its like.
    pub(super) fn shorthand(
        &mut self,
        filter: &'static str,
        symbol: &str,
        heap: &mut Heap,
    ) -> Result<Outcome, Failure> {
        let target = self.target();
        let (Some(id), Some(number)) = (target.filter_named(filter), target.symbol_value(symbol)) else {
            return Err(ProfileError::MalformedFilter { filter, problem: format!("{symbol} is not known here") }.into());
        };
        let filter = self.filters.test(Test { filter: id, arg: Arg::Integer(number) });
        self.filter(filter, heap)
    }

    /// `(container)` and its like.
    pub(super) fn extension_shorthand(&mut self, class: &str, heap: &mut Heap) -> Result<Outcome, Failure> {
        let Some(id) = self.target().filter_named("extension") else {
            return Err(ProfileError::MalformedFilter { filter: "extension", problem: String::new() }.into());
        };
        let filter = self.filters.test(Test { filter: id, arg: Arg::String(class.as_bytes().to_vec()) });
        self.filter(filter, heap)
    }

    /// The filters among the arguments of `require-any` and `require-all`.
    fn combined(&self, name: &'static str, call: &Call<'_>, heap: &Heap) -> Result<Vec<FilterRef>, ProfileError> {
        let mut filters = Vec::new();
        let mut work: Vec<Value> = call.arguments.iter().rev().copied().collect();
        let mut seen = 0;
        while let Some(argument) = work.pop() {
            seen += 1;
            self.check_count(seen, heap)?;
            match self.get(argument) {
                Some(Object::Filter(filter)) => filters.push(*filter),
                _ => match heap.proper_list(argument) {
                    Some(items) => work.extend(items.iter().rev()),
                    _ => return Err(ProfileError::CombinationArguments(name)),
                },
            }
        }
        if filters.is_empty() { Err(ProfileError::EmptyCombination(name)) } else { Ok(filters) }
    }

    pub(super) fn require_any(&mut self, call: &Call<'_>, heap: &mut Heap) -> Result<Outcome, Failure> {
        let filters = self.combined("require-any", call, heap)?;
        let filter = self.filters.any(filters);
        self.filter(filter, heap)
    }

    pub(super) fn require_all(&mut self, call: &Call<'_>, heap: &mut Heap) -> Result<Outcome, Failure> {
        let filters = self.combined("require-all", call, heap)?;
        let filter = self.filters.all(filters);
        self.filter(filter, heap)
    }

    pub(super) fn require_not(&mut self, call: &Call<'_>, heap: &mut Heap) -> Result<Outcome, Failure> {
        match call.arguments {
            [argument] => match self.get(*argument) {
                Some(&Object::Filter(filter)) => {
                    let filter = self.filters.not(filter);
                    self.filter(filter, heap)
                }
                _ => Err(ProfileError::MalformedCombination.into()),
            },
            _ => Err(ProfileError::MalformedCombination.into()),
        }
    }

    /// `(entitlement-value v)` and `(entitlement-value-regex "re")`.
    pub(super) fn entitlement_value(
        &mut self,
        regex: bool,
        call: &Call<'_>,
        heap: &mut Heap,
    ) -> Result<Outcome, Failure> {
        let value = call.arguments.first().copied().unwrap_or(Value::Nil);
        let test = match (heap.bytes(value), value) {
            (Some(text), _) if regex => EntitlementTest::Regex(text.to_vec()),
            (Some(text), _) => EntitlementTest::String(text.to_vec()),
            (None, Value::Bool(truth)) if !regex => EntitlementTest::Bool(truth),
            _ if regex => return Err(ProfileError::EntitlementRegex.into()),
            _ => return Err(ProfileError::EntitlementValue.into()),
        };
        Ok(Outcome::Value(self.object(Object::Entitlement(test), heap)))
    }

    /// `(require-entitlement "name" [value])`: the entitlement is true, or is loaded and its value tested.
    pub(super) fn require_entitlement(&mut self, call: &Call<'_>, heap: &mut Heap) -> Result<Outcome, Failure> {
        let name = call.arguments.first().copied().unwrap_or(Value::Nil);
        let Some(name) = heap.bytes(name).map(<[u8]>::to_vec) else {
            return Err(Failure::ArgumentType { name: "require-entitlement", index: 1, expected: "string" });
        };
        let test = match call.arguments {
            [_] => EntitlementTest::Bool(true),
            [_, value] => match self.get(*value) {
                Some(Object::Entitlement(test)) => test.clone(),
                _ => return Err(ProfileError::EntitlementSecond.into()),
            },
            _ => return Err(ProfileError::EntitlementMany.into()),
        };
        let target = self.target();
        let missing = || ProfileError::MalformedFilter {
            filter: "entitlement",
            problem: "this system has no such filter".to_owned(),
        };
        let info = |name: &str| target.filter_named(name).and_then(|id| target.filter(id)).ok_or_else(missing);
        // Newer systems have one filter for the common case: the platform profile of 15.2 tests it 2143 times and
        // `%entitlement-boolean` never (golden blobs).
        if test == EntitlementTest::Bool(true)
            && let Some(id) = target.filter_named("%entitlement-is-bool-true")
        {
            let filter = self.filters.test(Test { filter: id, arg: Arg::String(name) });
            return self.filter(filter, heap);
        }
        let load = info("%entitlement-load")?;
        let (value, arg) = match test {
            EntitlementTest::Bool(truth) => (info("%entitlement-boolean")?, Arg::Bool(truth)),
            EntitlementTest::String(text) => {
                let value = info("%entitlement-string")?;
                (value, Arg::Pattern(self.pattern(value, FilterForm::Exact, &text)?))
            }
            EntitlementTest::Regex(text) => {
                let value = info("%entitlement-string")?;
                (value, Arg::Pattern(self.pattern(value, FilterForm::Regex, &text)?))
            }
        };
        let load = self.filters.test(Test { filter: load.id, arg: Arg::String(name) });
        let value = self.filters.test(Test { filter: value.id, arg });
        let filter = self.filters.all(vec![load, value]);
        self.filter(filter, heap)
    }

    /// `(path-ancestors "/a/b")`: `/` and `/a`.
    pub(super) fn path_ancestors(&mut self, call: &Call<'_>, heap: &mut Heap) -> Result<Outcome, Failure> {
        let target = self.target();
        let Some(info) = target.filter_named("path").and_then(|id| target.filter(id)) else {
            return Err(ProfileError::Directive("path-ancestors needs the path filter").into());
        };
        let mut ancestors: IndexSet<Vec<u8>> = IndexSet::new();
        for (index, &value) in call.arguments.iter().enumerate().filter(|(_, value)| **value != Value::Nil) {
            let Some(path) = heap.bytes(value).map(<[u8]>::to_vec) else {
                return Err(wrong_type(info, index, "pattern", value).into());
            };
            if !path.starts_with(b"/") && !path.starts_with(b"${") {
                return Err(ProfileError::Directive("path must start with a /").into());
            }
            let end = path.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
            let path = path.get(..end).unwrap_or_default();
            for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
                // Together they are as long as the square of the path. Without memory the machine reports its own limit.
                if !heap.reserve(at) {
                    return Err(malformed(info, "there is no memory for it").into());
                }
                heap.charge(at);
                ancestors.insert(path.get(..at.max(1)).unwrap_or_default().to_vec());
            }
        }
        if ancestors.is_empty() {
            return Err(malformed(info, "the path has no ancestors").into());
        }
        let mut tests = Vec::with_capacity(ancestors.len());
        for ancestor in ancestors {
            let arg = Arg::Pattern(self.pattern(info, FilterForm::Exact, &ancestor)?);
            tests.push(self.filters.test(Test { filter: info.id, arg }));
        }
        let filter = self.filters.any(tests);
        self.filter(filter, heap)
    }
}

fn malformed(info: &FilterInfo, problem: &str) -> ProfileError {
    ProfileError::MalformedFilter { filter: info.name, problem: problem.to_owned() }
}

fn wrong_type(info: &FilterInfo, index: usize, expected: &'static str, value: Value) -> ProfileError {
    ProfileError::FilterData { filter: info.name, index: index + 1, expected, found: value.type_name() }
}

/// A number or symbol; a compiled test has 16 bits for it.
fn number(info: &FilterInfo, index: usize, value: Value) -> Result<u16, ProfileError> {
    match value {
        Value::Int(number) => {
            u16::try_from(number).map_err(|_| malformed(info, "the number does not fit into 16 bits"))
        }
        _ => Err(wrong_type(info, index, "integer", value)),
    }
}
