//! `allow` and `deny`: arguments sorted, checked and made into a rule (`spec/sbpl-language.md` section 6).

use super::codes;
use super::directive::is_between;
use super::error::ProfileError;
use super::host::{Evaluator, Failure};
use super::object::{FilterRef, Object};
use crate::diag::Diagnostic;
use crate::policy::{Filter, MessageFilter, Modifier, ModifierValue, Rule, RuleSource};
use crate::scheme::{Call, Heap, Outcome, Value};
use crate::vocab::{Action, OpId};

/// The arguments of a rule by kind.
#[derive(Debug, Default)]
struct Parts {
    operations: Vec<OpId>,
    /// Obsolete spellings and what they stand for.
    obsolete: Vec<(String, OpId)>,
    /// Operations that are ignored on this system.
    retired: usize,
    filters: Vec<FilterRef>,
    modifiers: Vec<Modifier>,
}

impl Evaluator<'_> {
    /// `(allow argument …)` and `(deny argument …)`.
    pub(super) fn rule(&mut self, action: Action, call: &Call<'_>, heap: &mut Heap) -> Result<Outcome, Failure> {
        let parts = self.sort(call.arguments, heap)?;
        if parts.operations.is_empty() && parts.retired == 0 {
            return Err(ProfileError::NoOperation.into());
        }
        self.check_context(&parts.operations)?;
        self.check_modifiers(action, &parts)?;
        let filter = match parts.filters[..] {
            [] => None,
            _ => Some(self.filters.any(parts.filters.clone())),
        };
        if let Some(filter) = filter
            && self.filters.size(filter).depth > self.options.limits.filter_depth
        {
            return Err(ProfileError::FilterDepth(self.options.limits.filter_depth).into());
        }
        let filter = filter.map(|filter| self.build_filter(filter, heap)).transpose()?;
        if let Some(filter) = &filter {
            self.check_filter(filter, &parts.operations)?;
        }
        self.count_modifiers(&parts.modifiers, heap)?;
        let origin = self.origin(call, heap);
        for (written, id) in &parts.obsolete {
            let name = self.target().operation(*id).name;
            let message = format!("sandbox operation \"{written}\" is obsolete; replace with \"{name}\"");
            let mut warning = Diagnostic::warning(codes::OBSOLETE_OPERATION, message);
            warning.location = self.warning_location(&origin);
            self.warn(warning);
        }
        if !parts.operations.is_empty() {
            heap.charge(size_of::<Rule>() + parts.operations.len());
            let (operations, modifiers) = (parts.operations, parts.modifiers);
            self.push_rule(Rule { action, operations, filter, modifiers, source: RuleSource::Profile, origin })?;
        }
        Ok(Outcome::Value(Value::Bool(true)))
    }

    /// Sorts arguments. From 10.15 on lists are flattened and `()` counts as nothing (`spec/sbpl-language.md` section 6).
    fn sort(&self, arguments: &[Value], heap: &Heap) -> Result<Parts, ProfileError> {
        let flattens = is_between(self.target(), "macos-10.15", "");
        let mut parts = Parts::default();
        let mut work: Vec<Value> = arguments.iter().rev().copied().collect();
        let mut seen = 0;
        while let Some(argument) = work.pop() {
            seen += 1;
            self.check_count(seen, heap)?;
            match self.get(argument) {
                Some(Object::Operation { id, written }) => {
                    if let Some(written) = written {
                        parts.obsolete.push((written.clone(), *id));
                    }
                    parts.operations.push(*id);
                }
                Some(Object::RetiredOperation) => parts.retired += 1,
                Some(Object::Filter(filter)) => parts.filters.push(*filter),
                Some(Object::Applied(modifier)) => parts.modifiers.push(modifier.clone()),
                Some(Object::AppliedIgnored) => {}
                _ if argument == Value::Nil && flattens => {}
                _ => match heap.proper_list(argument) {
                    Some(items) if flattens => work.extend(items.iter().rev()),
                    _ => return Err(ProfileError::IllegalArgument(self.show(argument, heap))),
                },
            }
        }
        Ok(parts)
    }

    /// Lists inside lists may share their parts: what a walk meets is bounded, and counts as work.
    pub(super) fn check_count(&self, seen: usize, heap: &Heap) -> Result<(), ProfileError> {
        let limit = self.options.limits.filter_tests;
        if seen.is_multiple_of(8) {
            heap.tick(1);
        }
        if seen > limit { Err(ProfileError::FilterTests(limit)) } else { Ok(()) }
    }

    /// Message operations belong into message filters, all others outside.
    fn check_context(&self, operations: &[OpId]) -> Result<(), ProfileError> {
        let inside = !self.message_filters.is_empty();
        let misplaced = operations.iter().map(|&id| self.target().operation(id)).find(|row| row.in_op_table == inside);
        match misplaced {
            Some(row) => Err(ProfileError::OperationContext(row.name)),
            None => Ok(()),
        }
    }

    fn check_modifiers(&self, action: Action, parts: &Parts) -> Result<(), ProfileError> {
        for (index, modifier) in parts.modifiers.iter().enumerate() {
            let Some(info) = self.target().modifier(modifier.id) else { continue };
            let name = info.name;
            if parts.modifiers.iter().take(index).any(|other| other.id == modifier.id) {
                return Err(ProfileError::ModifierTwice(name));
            }
            if !info.actions.contains(&action) {
                return Err(ProfileError::ModifierAction { modifier: name, action });
            }
            let refused = parts.operations.iter().find(|&&id| !self.target().takes_modifier(id, name));
            if let Some(&id) = refused {
                let operation = self.target().operation(id).name;
                return Err(ProfileError::ModifierOperation { modifier: name, operation });
            }
        }
        Ok(())
    }

    fn check_filter(&self, filter: &Filter, operations: &[OpId]) -> Result<(), ProfileError> {
        let mut refused = None;
        let mut checked = [false; 256];
        filter.for_each_test(&mut |test| {
            if refused.is_none() && !std::mem::replace(&mut checked[usize::from(test.filter.0)], true) {
                refused =
                    operations.iter().find(|&&id| !self.target().accepts(id, test.filter)).map(|&id| (test.filter, id));
            }
        });
        match refused {
            Some((filter, operation)) => Err(ProfileError::FilterOperation {
                filter: self.target().filter(filter).map_or("unknown", |info| info.name),
                operation: self.target().operation(operation).name,
            }),
            None => Ok(()),
        }
    }

    /// The arguments of a rule with what a `with-filter` or the like around it adds. Rules of a message filter are left
    /// alone: their operations take other filters.
    pub(super) fn extend_rule(&mut self, call: &Call<'_>, heap: &mut Heap) -> Result<Outcome, Failure> {
        let (arguments, extra) = match call.arguments {
            [arguments, extra] => (*arguments, *extra),
            _ => return Ok(Outcome::Value(Value::Nil)),
        };
        let Some(mut arguments_left) = heap.proper_list(arguments).filter(|_| self.message_filters.is_empty()) else {
            return Ok(Outcome::Value(arguments));
        };
        match self.get(extra) {
            Some(&Object::Filter(added)) => {
                let mut own = Vec::new();
                arguments_left.retain(|&argument| match self.get(argument) {
                    Some(&Object::Filter(filter)) => {
                        own.push(filter);
                        false
                    }
                    _ => true,
                });
                let filter = if own.is_empty() {
                    added
                } else {
                    let own = self.filters.any(own);
                    self.filters.all(vec![own, added])
                };
                let Outcome::Value(filter) = self.filter(filter, heap)? else {
                    return Ok(Outcome::Value(arguments));
                };
                arguments_left.push(filter);
            }
            Some(Object::Modifier(_) | Object::IgnoredModifier) => {
                let applied = self.apply_modifier(&[extra])?;
                let applied = self.object(applied, heap);
                arguments_left.push(applied);
            }
            _ => arguments_left.push(extra),
        }
        Ok(Outcome::Value(heap.list(&arguments_left)))
    }

    /// `(with modifier argument …)`.
    pub(super) fn with(&mut self, call: &Call<'_>, heap: &mut Heap) -> Result<Outcome, Failure> {
        let object = self.apply_modifier_in(call.arguments, heap)?;
        if let Object::Applied(modifier) = &object {
            self.count_modifiers(std::slice::from_ref(modifier), heap)?;
        }
        Ok(Outcome::Value(self.object(object, heap)))
    }

    fn apply_modifier(&self, arguments: &[Value]) -> Result<Object, ProfileError> {
        match arguments.first().and_then(|&name| self.get(name)) {
            Some(Object::IgnoredModifier | Object::AppliedIgnored) => Ok(Object::AppliedIgnored),
            Some(Object::Applied(modifier)) => Ok(Object::Applied(modifier.clone())),
            Some(&Object::Modifier(id)) => Ok(Object::Applied(Modifier { id, value: ModifierValue::Flag })),
            _ => Err(ProfileError::IllegalModifier),
        }
    }

    fn apply_modifier_in(&self, arguments: &[Value], heap: &Heap) -> Result<Object, ProfileError> {
        use crate::vocab::ModifierArg;
        let object = self.apply_modifier(arguments)?;
        let (Object::Applied(modifier), Some(Object::Modifier(_))) =
            (&object, arguments.first().and_then(|&name| self.get(name)))
        else {
            return Ok(object);
        };
        let Some(info) = self.target().modifier(modifier.id) else { return Ok(object) };
        let value = match (info.argument, arguments.get(1..).unwrap_or_default()) {
            (ModifierArg::None, []) => ModifierValue::Flag,
            (ModifierArg::Integer, &[Value::Int(number)]) => match u16::try_from(number) {
                Ok(number) => ModifierValue::Integer(number),
                Err(_) => return Err(ProfileError::MalformedModifier(info.name)),
            },
            (ModifierArg::String, &[text]) => match heap.bytes(text) {
                Some(bytes) => ModifierValue::String(bytes.to_vec()),
                None => return Err(ProfileError::MalformedModifier(info.name)),
            },
            _ => return Err(ProfileError::MalformedModifier(info.name)),
        };
        Ok(Object::Applied(Modifier { id: modifier.id, value }))
    }

    /// The end of `(apply-message-filter …)`: its rules become a modifier. Modifiers among its arguments leave no trace
    /// (`spec/codegen-rules.md` section 7.5).
    pub(super) fn end_message_filter(&mut self, heap: &mut Heap) -> Result<Outcome, Failure> {
        let rules = self.message_filters.pop().unwrap_or_default();
        let Some(info) = self.target().modifier_named("message-filter") else {
            return Err(ProfileError::IllegalModifier.into());
        };
        let value = ModifierValue::Rules(MessageFilter { rules });
        Ok(Outcome::Value(self.object(Object::Applied(Modifier { id: info.id, value }), heap)))
    }

    /// `value` as short text for a message.
    pub(super) fn show(&self, value: Value, heap: &Heap) -> String {
        let describe = |value: Value| match value {
            Value::HostProcedure(_) => crate::scheme::Host::describe(self, value),
            other => self.get(other).map(|object| self.describe_object(object)),
        };
        String::from_utf8_lossy(&crate::scheme::write(heap, value, true, 120, &describe)).into_owned()
    }

    /// What `(sbpl-operation-can-return? op 'allow)` asks.
    pub(super) fn can_return(&self, call: &Call<'_>, heap: &Heap) -> bool {
        let operation = call.arguments.first().and_then(|&operation| self.get(operation));
        let action = match call.arguments.get(1) {
            Some(Value::Symbol(symbol)) if heap.name(*symbol) == b"deny" => Action::Deny,
            _ => Action::Allow,
        };
        match (operation, &self.policy) {
            (Some(Object::Operation { id, .. }), Some(policy)) => {
                heap.tick_cells(policy.rules().len());
                policy.can_return(*id, action)
            }
            _ => false,
        }
    }

    /// True for a name that the target knows as an operation.
    pub(super) fn is_operation(&self, value: Value) -> bool {
        matches!(self.get(value), Some(Object::Operation { .. } | Object::RetiredOperation))
    }
}
