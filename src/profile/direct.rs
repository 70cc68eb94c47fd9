//! The directives: version, imports, parameters and helpers (`spec/sbpl-language.md` section 5).

use super::directive::{Directive, is_between};
use super::error::ProfileError;
use super::host::{Evaluator, Failure};
use super::library;
use super::loader::{ImportError, ImportRequest};
use super::object::Object;
use crate::policy::{Modifier, ModifierValue, Rule, RuleSource};
use crate::scheme::{self, Call, Heap, Outcome, Value};
use crate::syntax::parse;
use crate::vocab::Action;

/// What the library's own texts are called towards the machine.
const LIBRARY_TEXT: u32 = u32::MAX;

impl Evaluator<'_> {
    pub(super) fn direct(
        &mut self,
        directive: Directive,
        call: &Call<'_>,
        heap: &mut Heap,
    ) -> Result<Outcome, Failure> {
        let first = call.arguments.first().copied().unwrap_or(Value::Nil);
        let value = match directive {
            Directive::Version => return self.version(first, heap),
            Directive::Import => return self.import(first, false, heap),
            Directive::Load => return self.import(first, true, heap),
            Directive::Param => self.param(first, heap),
            Directive::Rule(action) => return self.rule(action, call, heap),
            Directive::With => return self.with(call, heap),
            Directive::RequireAny => return self.require_any(call, heap),
            Directive::RequireAll => return self.require_all(call, heap),
            Directive::RequireNot => return self.require_not(call, heap),
            Directive::RequireEntitlement => return self.require_entitlement(call, heap),
            Directive::EntitlementValue => return self.entitlement_value(false, call, heap),
            Directive::EntitlementValueRegex => return self.entitlement_value(true, call, heap),
            Directive::Trace => return self.trace(first, heap),
            Directive::Ignored => Value::Bool(true),
            Directive::DisableCallouts => self.option(|options| options.disable_callouts = true),
            Directive::DisableFullSymbolication => self.option(|options| options.disable_full_symbolication = true),
            Directive::DisableSyscallInference => {
                self.syscall_inference = false;
                Value::Bool(true)
            }
            Directive::DefineStorageClass => return self.define_storage_class(call, heap),
            Directive::PathAncestors => return self.path_ancestors(call, heap),
            Directive::RegexQuote => return regex_quote(first, heap),
            // How `$` is protected is not known; a text without variables needs none (spec/sbpl-language.md section 5).
            Directive::VariableQuote => string(first, "variable-quote", heap).map(|_| first)?,
            Directive::SplitString => return split_string(call, heap),
            Directive::IoCommand => return io_command(call, heap),
            Directive::IsFilter => Value::Bool(matches!(self.get(first), Some(Object::Filter(_)))),
            Directive::IsOperation => Value::Bool(self.is_operation(first)),
            Directive::IsModifier => {
                Value::Bool(matches!(self.get(first), Some(Object::Applied(_) | Object::AppliedIgnored)))
            }
            Directive::CanReturn => Value::Bool(self.can_return(call, heap)),
            Directive::Finalize => return self.finalize(),
            Directive::ExtendRule => return self.extend_rule(call, heap),
            Directive::BeginMessageFilter => {
                self.message_filters.push(Vec::new());
                Value::Bool(true)
            }
            Directive::EndMessageFilter => return self.end_message_filter(heap),
        };
        Ok(Outcome::Value(value))
    }

    fn option(&mut self, set: impl FnOnce(&mut crate::policy::Options)) -> Value {
        if let Some(policy) = &mut self.policy {
            set(&mut policy.options);
        }
        Value::Bool(true)
    }

    /// The first `(version n)` loads the language. Another number is an error in the same text; an imported file may say
    /// another one on newer systems (`spec/versions-and-defaults.md` section 1.1.7).
    fn version(&mut self, value: Value, heap: &mut Heap) -> Result<Outcome, Failure> {
        let newest = if is_between(self.target(), "", "macos-10.15") { 1 } else { 3 };
        let number = match value {
            Value::Int(number @ 1..=3) if number <= newest => number as u8,
            other => return Err(ProfileError::UnsupportedVersion(self.show(other, heap)).into()),
        };
        if let Some(policy) = &self.policy {
            let imported = self.texts.len() > 1 && newest > 1;
            if policy.version() != number && !imported {
                return Err(ProfileError::SecondVersion.into());
            }
            return Ok(Outcome::Value(Value::Bool(true)));
        }
        if let Some(minimum) = self.options.minimum_version
            && number < minimum
        {
            return Err(ProfileError::VersionTooLow { minimum, found: number }.into());
        }
        self.start(number);
        let mut forms = Vec::new();
        for tree in library::trees(self.target(), number) {
            let part = scheme::read_unplaced(heap, tree);
            forms.extend(heap.elements(part).0);
        }
        self.enter_text(None, heap);
        Ok(Outcome::Run { forms: heap.list(&forms), text: LIBRARY_TEXT })
    }

    fn import(&mut self, value: Value, as_is: bool, heap: &mut Heap) -> Result<Outcome, Failure> {
        let directive = if as_is { "load" } else { "import" };
        let name = String::from_utf8_lossy(string(value, directive, heap)?).into_owned();
        let limits = &self.options.limits;
        self.imports += 1;
        if self.imports > limits.imports {
            let message = format!("more than {} files are imported", limits.imports);
            return Err(ProfileError::ImportLimit { limit: "imports", message }.into());
        }
        if self.texts.iter().filter(|text| text.source.is_some()).count() > limits.import_depth {
            let message = format!("imports are nested deeper than {}", limits.import_depth);
            return Err(ProfileError::ImportLimit { limit: "import-depth", message }.into());
        }
        let import_dir = self.options.params.as_ref().and_then(|params| params.get("IMPORT_DIR").cloned());
        let request = ImportRequest { name: name.clone(), import_dir, as_is };
        let room = limits.import_bytes.saturating_sub(self.import_bytes);
        let source = self.loader.load(&request, room as u64).map_err(|error| match error {
            ImportError::NotFound { reason } => ProfileError::Import { name: name.clone(), reason },
            ImportError::Refused { reason, help } => ProfileError::ImportRefused { name: name.clone(), reason, help },
            ImportError::TooLarge { .. } => {
                let message = format!("imported files have more than {} bytes", limits.import_bytes);
                ProfileError::ImportLimit { limit: "import-bytes", message }
            }
        })?;
        self.import_bytes += source.text().len();
        heap.charge(source.text().len());
        let parsed = parse(source.shared_text(), &limits.syntax);
        let id = self.sources.add(source);
        if !parsed.errors.is_empty() {
            let diagnostics = parsed.errors.iter().map(|error| error.to_diagnostic(id)).collect();
            return Err(ProfileError::ImportSyntax { name, diagnostics }.into());
        }
        let forms = scheme::read(heap, &parsed.tree, id);
        self.enter_text(Some(id), heap);
        Ok(Outcome::Run { forms, text: id.0 })
    }

    fn param(&mut self, key: Value, heap: &mut Heap) -> Value {
        let Some(key) = heap.bytes(key).and_then(|key| std::str::from_utf8(key).ok()) else {
            return Value::Bool(false);
        };
        match self.options.params.as_ref().and_then(|params| params.get(key)) {
            Some(value) => heap.string(value.as_bytes()),
            None => {
                if self.missing_params.len() < 1000 && !self.missing_params.contains(key) {
                    self.missing_params.insert(key.to_owned());
                }
                Value::Bool(false)
            }
        }
    }

    fn trace(&mut self, value: Value, heap: &Heap) -> Result<Outcome, Failure> {
        let Some(path) = heap.bytes(value) else {
            return Err(ProfileError::Directive("argument to trace must be a string").into());
        };
        let Some(policy) = &mut self.policy else { return Err(ProfileError::NoVersion.into()) };
        if policy.options.trace.is_some() {
            return Err(ProfileError::Directive("only one trace path may be specified").into());
        }
        policy.options.trace = Some(path.to_vec());
        Ok(Outcome::Value(Value::Bool(true)))
    }

    /// `(define-storage-class "name" filter)`.
    fn define_storage_class(&mut self, call: &Call<'_>, heap: &mut Heap) -> Result<Outcome, Failure> {
        let target = self.target();
        let name = call.arguments.first().copied().unwrap_or(Value::Nil);
        let name = string(name, "define-storage-class", heap)?.to_vec();
        let Some(&Object::Filter(filter)) = call.arguments.get(1).and_then(|&value| self.get(value)) else {
            return Err(Failure::ArgumentType { name: "define-storage-class", index: 2, expected: "filter" });
        };
        let parts = target.operation_named("storage-class-map").zip(target.modifier_named("assign-storage-class"));
        let Some((operation, modifier)) = parts else { return Err(ProfileError::StorageClassContext.into()) };
        let filter = self.build_filter(filter, heap)?;
        let origin = self.origin(call, heap);
        let Some(policy) = &mut self.policy else { return Err(ProfileError::NoVersion.into()) };
        if policy.storage_classes.contains_key(&name) {
            return Err(ProfileError::StorageClassTwice(String::from_utf8_lossy(&name).into_owned()).into());
        }
        policy.storage_classes.insert(name.clone(), filter.clone());
        self.push_rule(Rule {
            action: Action::Allow,
            operations: vec![operation],
            filter: Some(filter),
            modifiers: vec![Modifier { id: modifier.id, value: ModifierValue::String(name) }],
            source: RuleSource::Profile,
            origin,
        })?;
        Ok(Outcome::Value(Value::Bool(true)))
    }

    /// The last call of every profile. A profile without implicit rules may define storage classes (golden/decompiler-cases
    /// dec-040 and dec-041).
    fn finalize(&mut self) -> Result<Outcome, Failure> {
        if !self.has_implicit_rules() {
            return Ok(Outcome::Value(Value::Bool(true)));
        }
        let target = self.target();
        let storage = target.operation_named("storage-class-map");
        match (&self.policy, storage) {
            (Some(policy), Some(storage)) if policy.can_return(storage, Action::Allow) => {
                Err(ProfileError::StorageClassContext.into())
            }
            _ => Ok(Outcome::Value(Value::Bool(true))),
        }
    }
}

fn string<'h>(value: Value, name: &'static str, heap: &'h Heap) -> Result<&'h [u8], Failure> {
    heap.bytes(value).ok_or(Failure::ArgumentType { name, index: 1, expected: "string" })
}

/// Puts `\` before everything that means something in a regex.
fn regex_quote(value: Value, heap: &mut Heap) -> Result<Outcome, Failure> {
    let Some(text) = heap.bytes(value) else {
        return Err(ProfileError::Directive("argument to regex-quote must be a string").into());
    };
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        if b"^.[$()|*+?{\\".contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
    Ok(Outcome::Value(heap.string(out)))
}

fn split_string(call: &Call<'_>, heap: &mut Heap) -> Result<Outcome, Failure> {
    let argument = |index: usize| {
        let value = call.arguments.get(index).copied().unwrap_or(Value::Nil);
        heap.bytes(value).ok_or(Failure::ArgumentType { name: "split-string", index: index + 1, expected: "string" })
    };
    let (text, separator) = (argument(0)?.to_vec(), argument(1)?.to_vec());
    let mut parts = Vec::new();
    let mut rest = text.as_slice();
    // A part costs many times the byte that it may come from, so the budget is asked for each.
    while let Some(at) = memchr::memmem::find(rest, &separator).filter(|_| !separator.is_empty() && heap.reserve(0)) {
        parts.push(heap.string(rest.get(..at).unwrap_or_default()));
        rest = rest.get(at + separator.len()..).unwrap_or_default();
    }
    parts.push(heap.string(rest));
    Ok(Outcome::Value(heap.list(&parts)))
}

/// `(_IO "h" 47)`: 256 times the code of the letter, plus the number.
fn io_command(call: &Call<'_>, heap: &Heap) -> Result<Outcome, Failure> {
    let group = call.arguments.first().copied().unwrap_or(Value::Nil);
    let &letter = string(group, "_IO", heap)?.first().ok_or(Failure::ArgumentType {
        name: "_IO",
        index: 1,
        expected: "string",
    })?;
    match call.arguments.get(1) {
        Some(&Value::Int(number)) => Ok(Outcome::Value(Value::Int(number.wrapping_add(i64::from(letter) << 8)))),
        _ => Err(Failure::ArgumentType { name: "_IO", index: 2, expected: "integer" }),
    }
}
