//! Errors of a run as diagnostics, and in the shape of Apple's compiler.

use super::codes;
use super::error::ProfileError;
use super::hints;
use super::host::Evaluator;
use crate::diag::{Code, Diagnostic, Frame, Severity, SourceMap};
use crate::scheme::{ErrorKind, Fail, Limit, Machine, TraceKind};

/// Forms in a backtrace are cut to this many bytes.
const FORM_LENGTH: usize = 200;

/// The diagnostics that an error of a run amounts to.
pub(super) fn diagnostics<'a>(machine: &Machine<Evaluator<'a>>, error: &Fail<Evaluator<'a>>) -> Vec<Diagnostic> {
    if let ErrorKind::Host(ProfileError::ImportSyntax { diagnostics, .. }) = &error.kind {
        let mut diagnostics = diagnostics.clone();
        for diagnostic in &mut diagnostics {
            diagnostic.backtrace = backtrace(machine, error);
        }
        return diagnostics;
    }
    let mut diagnostic = Diagnostic::error(code(&error.kind), error.kind.to_string());
    diagnostic.location = error.location;
    diagnostic.backtrace = backtrace(machine, error);
    hints::explain(machine, error, &mut diagnostic);
    vec![diagnostic]
}

fn code(kind: &ErrorKind<ProfileError>) -> Code {
    match kind {
        ErrorKind::Unbound(_) | ErrorKind::UnboundSet(_) => codes::UNBOUND_VARIABLE,
        ErrorKind::NotSymbol | ErrorKind::Syntax(_) => codes::SPECIAL_FORM,
        ErrorKind::IllegalFunction => codes::NOT_CALLABLE,
        ErrorKind::NotEnoughArguments | ErrorKind::ArgumentCount { .. } => codes::ARGUMENT_COUNT,
        ErrorKind::ArgumentType { .. } => codes::ARGUMENT_TYPE,
        ErrorKind::Domain { .. } => codes::DOMAIN,
        ErrorKind::User(_) => codes::USER_ERROR,
        ErrorKind::Unavailable(_) => codes::UNAVAILABLE,
        ErrorKind::Limit(Limit::Steps(_)) => codes::STEPS,
        ErrorKind::Limit(Limit::Heap(_)) => codes::MEMORY,
        ErrorKind::Limit(Limit::Depth(_)) => codes::DEPTH,
        ErrorKind::Host(error) => error.code(),
    }
}

/// The innermost form is the one whose evaluation began last, even if it is done: that is what Apple's compiler shows
/// (golden case `iokit_external_method_outside_message_filter`). Its place is that of its first element.
fn backtrace<'a>(machine: &Machine<Evaluator<'a>>, error: &Fail<Evaluator<'a>>) -> Vec<Frame> {
    let heap = &machine.heap;
    let steps = error.trace.iter().filter_map(|step| {
        let location = match step.kind {
            TraceKind::Innermost => step.location?,
            _ => heap.element_location(step.form)?,
        };
        let form = String::from_utf8_lossy(&machine.write(step.form, true, FORM_LENGTH)).into_owned();
        Some(Frame { location, form })
    });
    let mut frames: Vec<Frame> = steps.collect();
    frames.dedup();
    frames
}

/// Errors of `allow` and `deny`: Apple's text goes on with the forms.
const SHOWS_FORMS: &[Code] = &[
    codes::ILLEGAL_ARGUMENT,
    codes::NO_OPERATION,
    codes::MODIFIER_TWICE,
    codes::MODIFIER_MISPLACED,
    codes::FILTER_MISPLACED,
    codes::OPERATION_CONTEXT,
];

/// An error in the shape that Apple's compiler gives it on new systems (`spec/sbpl-language.md` section 14).
///
/// A name that nothing binds is reported with its place and a backtrace. Errors of `allow` and `deny` go on with the forms
/// (golden case `iokit_external_method_outside_message_filter`); those of built-ins and filters are the message alone
/// (`param_path_missing_param`, `named_mds`).
pub fn apple_text(diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    let mut text = diagnostic.message.clone();
    let is_unbound = diagnostic.severity == Severity::Error && diagnostic.code == codes::UNBOUND_VARIABLE;
    if !is_unbound && !SHOWS_FORMS.contains(&diagnostic.code) {
        return text;
    }
    let frames = diagnostic.backtrace.iter().filter_map(|frame| {
        let (name, at) = sources.position(frame.location)?;
        Some(format!("{name}:{}:{}:\n\t{}", at.line, at.column, frame.form))
    });
    let frames: Vec<_> = frames.collect();
    let place = diagnostic.location.and_then(|location| sources.position(location));
    if let Some((name, at)) = place.filter(|_| is_unbound) {
        text.push_str(&format!(" at {name}, line {}, column {}", at.line, at.column));
    }
    if !frames.is_empty() {
        text.push_str(if is_unbound { "\n\nBacktrace:\n" } else { "\n" });
    }
    text + &frames.join("\n")
}
