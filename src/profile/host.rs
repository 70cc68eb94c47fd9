//! SBPL as seen from the machine: names, procedures, and what they leave behind.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexSet;

use super::directive::{self, Directive};
use super::error::ProfileError;
use super::loader::Loader;
use super::object::{FilterRef, Filters, Object, Procedure};
use super::{EvalOptions, implicit};
use crate::diag::{Diagnostic, Location, SourceId, SourceMap};
use crate::policy::{Filter, Modifier, ModifierValue, Origin, OriginFrame, OriginKind, Policy, Rule, RuleSource};
use crate::scheme::{self, Call, Heap, Host, HostValue, Outcome, Trace, TraceKind, Value};
use crate::vocab::{Spelling, Target};

/// Why a procedure of SBPL failed.
pub(super) type Failure = scheme::Failure<ProfileError>;

/// Steps of a rule's origin that are kept.
const ORIGIN_LENGTH: usize = 16;

/// A text that is being run.
pub(super) struct Running {
    pub(super) source: Option<SourceId>,
    /// The value of `*import-path*` before.
    import_path: Option<Value>,
}

/// What a profile leaves behind while it runs.
pub(super) struct Evaluator<'a> {
    pub(super) options: &'a EvalOptions,
    pub(super) loader: &'a dyn Loader,
    pub(super) sources: SourceMap,
    pub(super) policy: Option<Policy>,
    pub(super) filters: Filters,
    warnings: Vec<Diagnostic>,
    /// Warnings beyond the limit.
    more_warnings: u64,
    /// The texts being run, innermost last; the first is the profile.
    pub(super) texts: Vec<Running>,
    /// Rules of the message filters being read, innermost last.
    pub(super) message_filters: Vec<Vec<Rule>>,
    pub(super) syscall_inference: bool,
    /// Parameters that were asked for and not given.
    pub(super) missing_params: IndexSet<String>,
    pub(super) imports: usize,
    pub(super) import_bytes: usize,
    pub(super) rules: usize,
    pub(super) tests: usize,
    warned: HashSet<(Option<Location>, String)>,
    objects: Vec<Object>,
    procedures: Vec<(Procedure, String)>,
    /// What names mean, so that a name is the same object each time; `None` for those that mean nothing.
    known: HashMap<Vec<u8>, Option<Value>>,
    origin: Option<Arc<[OriginFrame]>>,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(options: &'a EvalOptions, loader: &'a dyn Loader, sources: SourceMap, top: SourceId) -> Self {
        Self {
            options,
            loader,
            sources,
            policy: None,
            filters: Filters::default(),
            warnings: Vec::new(),
            more_warnings: 0,
            texts: vec![Running { source: Some(top), import_path: None }],
            message_filters: Vec::new(),
            syscall_inference: true,
            missing_params: IndexSet::new(),
            warned: HashSet::new(),
            imports: 0,
            import_bytes: 0,
            rules: 0,
            tests: 0,
            objects: Vec::new(),
            procedures: Vec::new(),
            known: HashMap::new(),
            origin: None,
        }
    }

    pub(super) fn target(&self) -> &'static Target {
        self.options.target
    }

    /// A value that stands for `object`.
    pub(super) fn object(&mut self, object: Object, heap: &mut Heap) -> Value {
        heap.charge(size_of::<Object>());
        self.objects.push(object);
        Value::Host(HostValue(self.objects.len() as u32 - 1))
    }

    /// A value that stands for a filter.
    pub(super) fn filter(&mut self, filter: FilterRef, heap: &mut Heap) -> Result<Outcome, Failure> {
        if self.filters.size(filter).depth > self.options.limits.filter_depth {
            return Err(ProfileError::FilterDepth(self.options.limits.filter_depth).into());
        }
        heap.charge(self.filters.take_new_bytes());
        Ok(Outcome::Value(self.object(Object::Filter(filter), heap)))
    }

    pub(super) fn get(&self, value: Value) -> Option<&Object> {
        match value {
            Value::Host(HostValue(index)) => self.objects.get(index as usize),
            _ => None,
        }
    }

    pub(super) fn procedure(&mut self, procedure: Procedure, name: &str) -> Value {
        self.procedures.push((procedure, name.to_owned()));
        Value::HostProcedure(HostValue(self.procedures.len() as u32 - 1))
    }

    fn meaning(&mut self, name: &str, heap: &mut Heap) -> Option<Value> {
        let Some(version) = self.policy.as_ref().map(Policy::version) else {
            return (name == "version").then(|| self.procedure(Procedure::Directive(Directive::Version), name));
        };
        let target = self.target();
        if let Some(spelling) = target.spelling(name, version) {
            let object = match spelling {
                Spelling::Operation { id, obsolete } => {
                    Object::Operation { id, written: obsolete.then(|| name.to_owned()) }
                }
                Spelling::RetiredOperation => Object::RetiredOperation,
                Spelling::Modifier(id) => Object::Modifier(id),
                Spelling::IgnoredModifier => Object::IgnoredModifier,
                Spelling::Filter { id, form } => return Some(self.procedure(Procedure::Filter { id, form }, name)),
            };
            return Some(self.object(object, heap));
        }
        if let Some(procedure) = directive::find(target, name) {
            return Some(self.procedure(procedure, name));
        }
        if let Some(number) = target.symbol_value(name) {
            return Some(Value::Int(i64::from(number)));
        }
        self.variable(name, heap)
    }

    fn variable(&mut self, name: &str, heap: &mut Heap) -> Option<Value> {
        match name {
            "unix-socket" => Some(self.object(Object::UnixSocket, heap)),
            "termination" if directive::is_between(self.target(), "macos-10.15", "macos-10.15") => {
                let id = self.target().modifier_named("send-signal")?.id;
                let value = ModifierValue::Integer(self.target().symbol_value("SIGKILL")?);
                Some(self.object(Object::Applied(Modifier { id, value }), heap))
            }
            "*params*" => {
                let params = self.options.params.clone().unwrap_or_default();
                let pairs: Vec<_> = params
                    .iter()
                    .map(|(key, value)| {
                        let (key, value) = (heap.string(key.as_bytes()), heap.string(value.as_bytes()));
                        heap.cons(key, value)
                    })
                    .collect();
                Some(heap.list(&pairs))
            }
            "*entitlements*" => {
                let entitlements = self.options.entitlements.as_ref()?;
                Some(super::data::alist(heap, entitlements))
            }
            "*import-path*" if directive::is_between(self.target(), "macos-14.4", "") => Some(Value::Bool(false)),
            "*target-platform*" if directive::is_between(self.target(), "macos-14.4", "") => Some(heap.string(*b"mac")),
            _ => None,
        }
    }

    /// Where the rule of `call` was written and how the run got there.
    pub(super) fn origin(&mut self, call: &Call<'_>, heap: &Heap) -> Option<Origin> {
        let (location, way) = call.way(heap);
        let location = location?;
        let mut via: Vec<_> = way.iter().take(ORIGIN_LENGTH).filter_map(|step| self.origin_frame(step, heap)).collect();
        via.reverse();
        // Neighbouring rules mostly come the same way.
        let via = match &self.origin {
            Some(last) if **last == *via => Arc::clone(last),
            _ => Arc::from(via),
        };
        self.origin = Some(Arc::clone(&via));
        Some(Origin { location, via })
    }

    fn origin_frame(&self, step: &Trace, heap: &Heap) -> Option<OriginFrame> {
        let (kind, name) = match step.kind {
            TraceKind::Call(callee) => {
                (OriginKind::Call, heap.closure_name(callee).unwrap_or_else(|| "lambda".to_owned()))
            }
            TraceKind::Text(text) => {
                let source = self.sources.get(SourceId(text))?;
                (OriginKind::Import, source.name().to_owned())
            }
            TraceKind::Innermost => return None,
        };
        Some(OriginFrame { kind, name, location: step.location? })
    }

    /// Adds a rule of the profile to the policy, or to the message filter being read.
    pub(super) fn push_rule(&mut self, rule: Rule) -> Result<(), ProfileError> {
        self.rules += 1;
        if self.rules > self.options.limits.rules {
            return Err(ProfileError::RuleLimit(self.options.limits.rules));
        }
        match (self.message_filters.last_mut(), &mut self.policy) {
            (Some(rules), _) => rules.push(rule),
            (None, Some(policy)) => {
                policy.push(rule);
            }
            (None, None) => return Err(ProfileError::NoVersion),
        }
        Ok(())
    }

    /// Counts what a rule stores with its modifiers: texts, and the rules of message filters.
    pub(super) fn count_modifiers(&mut self, modifiers: &[Modifier], heap: &mut Heap) -> Result<(), ProfileError> {
        for modifier in modifiers {
            match &modifier.value {
                ModifierValue::String(text) => heap.charge(text.len()),
                ModifierValue::Rules(filter) => {
                    self.rules = self.rules.saturating_add(filter.rules.len());
                    heap.charge(filter.rules.len() * size_of::<Rule>());
                    let mut tests = 0;
                    for filter in filter.rules.iter().filter_map(|rule| rule.filter.as_ref()) {
                        filter.for_each_test(&mut |_| tests += 1);
                    }
                    self.tests = self.tests.saturating_add(tests);
                    heap.charge(tests * size_of::<Filter>());
                }
                ModifierValue::Flag | ModifierValue::Integer(_) => {}
            }
        }
        if self.rules > self.options.limits.rules {
            return Err(ProfileError::RuleLimit(self.options.limits.rules));
        }
        Ok(())
    }

    /// Counts the tests that a rule or storage class is about to store.
    pub(super) fn build_filter(&mut self, filter: FilterRef, heap: &mut Heap) -> Result<Filter, ProfileError> {
        let size = self.filters.size(filter);
        self.tests = self.tests.saturating_add(size.tests);
        // Without memory the machine reports its own limit.
        if self.tests > self.options.limits.filter_tests || !heap.reserve(size.bytes) {
            return Err(ProfileError::FilterTests(self.options.limits.filter_tests));
        }
        heap.charge(size.bytes);
        Ok(self.filters.build(filter))
    }

    pub(super) fn warn(&mut self, diagnostic: Diagnostic) {
        if !self.warned.insert((diagnostic.location, diagnostic.message.clone())) {
            return;
        }
        if self.warnings.len() < self.options.limits.warnings {
            self.warnings.push(diagnostic);
        } else {
            self.more_warnings += 1;
        }
    }

    /// The warnings, and how many there are besides.
    pub(super) fn take_warnings(&mut self) -> Vec<Diagnostic> {
        let mut warnings = std::mem::take(&mut self.warnings);
        if self.more_warnings > 0 {
            let text = format!("{} more warnings", self.more_warnings);
            warnings.push(Diagnostic::warning(super::codes::MORE_WARNINGS, text));
        }
        warnings
    }

    /// A text starts to run.
    pub(super) fn enter_text(&mut self, source: Option<SourceId>, heap: &mut Heap) {
        let mut import_path = None;
        if source.is_some() && directive::is_between(self.target(), "macos-14.4", "") {
            let symbol = heap.intern(b"*import-path*");
            import_path = Some(heap.global(symbol).unwrap_or(Value::Bool(false)));
            heap.define_global(symbol, Value::Bool(true));
        }
        self.texts.push(Running { source, import_path });
    }

    /// The first `(version n)`: the policy exists from now on.
    pub(super) fn start(&mut self, version: u8) {
        let mut policy = Policy::new(self.target(), version);
        if let Some(rule) = implicit::prelude(self.target(), version) {
            policy.push(rule);
        }
        self.policy = Some(policy);
        // What was asked for before has its SBPL meaning now.
        self.known.clear();
    }

    /// A rule that no text holds.
    pub(super) fn add_own_rule(&mut self, mut rule: Rule) {
        rule.source = RuleSource::Implicit;
        if let Some(policy) = &mut self.policy {
            policy.push(rule);
        }
    }

    pub(super) fn warning_location(&self, origin: &Option<Origin>) -> Option<Location> {
        origin.as_ref().map(|origin| origin.location)
    }

    pub(super) fn describe_object(&self, object: &Object) -> String {
        match object {
            Object::Operation { id, .. } => self.target().operation(*id).name.to_owned(),
            Object::RetiredOperation => "no-op".to_owned(),
            Object::Filter(_) => "#<FILTER>".to_owned(),
            Object::Modifier(id) => self.target().modifier(*id).map_or("modifier", |info| info.name).to_owned(),
            Object::IgnoredModifier | Object::Applied(_) | Object::AppliedIgnored => "#<MODIFIER>".to_owned(),
            Object::UnixSocket => "unix-socket".to_owned(),
            Object::Entitlement(_) => "#<ENTITLEMENT>".to_owned(),
        }
    }
}

impl Host for Evaluator<'_> {
    type Error = ProfileError;

    fn global(&mut self, name: &[u8], heap: &mut Heap) -> Option<Value> {
        if let Some(&value) = self.known.get(name) {
            return value;
        }
        let value = self.meaning(std::str::from_utf8(name).ok()?, heap);
        self.known.insert(name.to_vec(), value);
        value
    }

    fn call(&mut self, procedure: HostValue, call: &Call<'_>, heap: &mut Heap) -> Result<Outcome, Failure> {
        let Some(&(procedure, _)) = self.procedures.get(procedure.0 as usize) else {
            return Ok(Outcome::Value(Value::Nil));
        };
        match procedure {
            Procedure::Filter { id, form } => self.make_filter(id, form, call, heap),
            Procedure::Shorthand { filter, symbol } => self.shorthand(filter, symbol, heap),
            Procedure::ExtensionShorthand(class) => self.extension_shorthand(class, heap),
            Procedure::Directive(directive) => self.direct(directive, call, heap),
        }
    }

    fn text_ended(&mut self, _: u32, heap: &mut Heap) {
        if self.texts.len() > 1
            && let Some(text) = self.texts.pop()
            && let Some(before) = text.import_path
        {
            let symbol = heap.intern(b"*import-path*");
            heap.define_global(symbol, before);
        }
    }

    fn describe(&self, value: Value) -> Option<String> {
        match value {
            Value::HostProcedure(HostValue(index)) => self.procedures.get(index as usize).map(|(_, name)| name.clone()),
            other => self.get(other).map(|object| self.describe_object(object)),
        }
    }
}
