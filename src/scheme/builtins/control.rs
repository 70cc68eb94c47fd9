//! Predicates, control, environments and ports.

use super::{Builtin, Control, Fault, Implementation, argument, between, bytes, exactly, from};
use crate::scheme::heap::{Closure, Heap};
use crate::scheme::value::{Env, Value};

const fn machine(name: &'static str, least: usize, most: Option<usize>, control: Control) -> Builtin {
    Builtin { name, least, most, implementation: Implementation::Control(control) }
}

const fn no_files(name: &'static str) -> Builtin {
    machine(name, 0, None, Control::Unavailable)
}

pub(super) const BUILTINS: &[Builtin] = &[
    exactly("not", 1, |_, arguments| Ok(Value::Bool(!argument(arguments, 0).is_true()))),
    exactly("boolean?", 1, |_, arguments| Ok(Value::Bool(matches!(argument(arguments, 0), Value::Bool(_))))),
    exactly("procedure?", 1, |_, arguments| Ok(Value::Bool(argument(arguments, 0).is_procedure()))),
    exactly("closure?", 1, |_, arguments| Ok(Value::Bool(matches!(argument(arguments, 0), Value::Closure(_))))),
    exactly("macro?", 1, |_, arguments| {
        Ok(Value::Bool(matches!(argument(arguments, 0), Value::Macro(_) | Value::Special(_))))
    }),
    exactly("environment?", 1, |_, arguments| Ok(Value::Bool(matches!(argument(arguments, 0), Value::Environment(_))))),
    exactly("eof-object?", 1, |_, arguments| Ok(Value::Bool(argument(arguments, 0) == Value::Eof))),
    exactly("port?", 1, |_, arguments| Ok(Value::Bool(matches!(argument(arguments, 0), Value::Port(_))))),
    exactly("input-port?", 1, |_, arguments| Ok(Value::Bool(matches!(argument(arguments, 0), Value::Port(_))))),
    exactly("output-port?", 1, |_, _| Ok(Value::Bool(false))),
    exactly("input-output-port?", 1, |_, _| Ok(Value::Bool(false))),
    machine("apply", 1, None, Control::Apply),
    machine("eval", 1, Some(2), Control::Eval),
    machine("defined?", 1, Some(2), Control::Defined),
    machine("call-with-current-continuation", 1, Some(1), Control::CallCc),
    machine("call/cc", 1, Some(1), Control::CallCc),
    machine("force", 1, Some(1), Control::Force),
    machine("current-environment", 0, Some(0), Control::CurrentEnvironment),
    machine("macro-expand", 1, Some(1), Control::Expand),
    machine("error", 0, None, Control::Error),
    machine("throw", 0, None, Control::Error),
    exactly("interaction-environment", 0, |_, _| Ok(Value::Environment(Env::GLOBAL))),
    exactly("make-closure", 2, |heap, arguments| {
        let Value::Environment(env) = argument(arguments, 1) else {
            return Err(Fault::Type { index: 2, expected: "environment" });
        };
        // The code is `(lambda parameters body …)` or `(parameters body …)`.
        let mut code = argument(arguments, 0);
        if matches!(heap.car(code), Value::Symbol(symbol) if heap.name(symbol) == b"lambda") {
            code = heap.cdr(code);
        }
        let closure = Closure { parameters: heap.car(code), body: heap.cdr(code), env, name: None };
        Ok(Value::Closure(heap.closure(closure)))
    }),
    exactly("get-closure-code", 1, |heap, arguments| {
        let (Value::Closure(index) | Value::Macro(index)) = argument(arguments, 0) else {
            return Ok(Value::Bool(false));
        };
        let Some(closure) = heap.get_closure(index) else { return Ok(Value::Bool(false)) };
        let lambda = Value::Symbol(heap.intern(b"lambda"));
        let rest = heap.cons(closure.parameters, closure.body);
        Ok(heap.cons(lambda, rest))
    }),
    exactly("oblist", 0, |heap, _| {
        let names: Vec<_> = heap.global_names().map(<[u8]>::to_vec).collect();
        let symbols: Vec<_> = names.iter().map(|name| Value::Symbol(heap.intern(name))).collect();
        Ok(heap.list(&symbols))
    }),
    exactly("gc", 0, |_, _| Ok(Value::Bool(true))),
    between("gc-verbose", 0, 1, |_, _| Ok(Value::Bool(false))),
    between("new-segment", 0, 1, |_, _| Ok(Value::Bool(true))),
    exactly("tracing", 1, |_, _| Ok(Value::Int(0))),
    exactly("open-input-string", 1, |heap, arguments| {
        let text = bytes(heap, arguments, 0)?.to_vec();
        Ok(heap.port(text))
    }),
    exactly("close-input-port", 1, |_, _| Ok(Value::Bool(true))),
    exactly("close-port", 1, |_, _| Ok(Value::Bool(true))),
    exactly("read-char", 1, |heap, arguments| next_byte(heap, arguments, true)),
    exactly("peek-char", 1, |heap, arguments| next_byte(heap, arguments, false)),
    exactly("char-ready?", 1, |_, _| Ok(Value::Bool(true))),
    exactly("read", 1, read),
    // Where a compiler's messages went; nothing to see in a policy.
    from("write", 0, |_, _| Ok(Value::Bool(true))),
    from("write-char", 0, |_, _| Ok(Value::Bool(true))),
    from("display", 0, |_, _| Ok(Value::Bool(true))),
    from("newline", 0, |_, _| Ok(Value::Bool(true))),
    no_files("quit"),
    no_files("open-input-file"),
    no_files("open-output-file"),
    no_files("open-input-output-file"),
    no_files("open-output-string"),
    no_files("open-input-output-string"),
    no_files("close-output-port"),
    no_files("current-input-port"),
    no_files("current-output-port"),
    no_files("set-input-port"),
    no_files("set-output-port"),
    no_files("call-with-input-file"),
    no_files("call-with-output-file"),
    no_files("with-input-from-file"),
    no_files("with-output-to-file"),
    no_files("with-input-output-from-to-files"),
];

fn next_byte(heap: &mut Heap, arguments: &[Value], consume: bool) -> Result<Value, Fault> {
    let port = heap.port_mut(argument(arguments, 0)).ok_or(Fault::Type { index: 1, expected: "input port" })?;
    let byte = port.text.get(port.at).copied();
    if consume && byte.is_some() {
        port.at += 1;
    }
    Ok(byte.map_or(Value::Eof, Value::Char))
}

/// The next datum of a port. The text is data of the profile's author, such as an entitlement.
fn read(heap: &mut Heap, arguments: &[Value]) -> Result<Value, Fault> {
    let port = heap.port_mut(argument(arguments, 0)).ok_or(Fault::Type { index: 1, expected: "input port" })?;
    let rest = port.text.get(port.at..).unwrap_or_default().to_vec();
    heap.tick_cells(rest.len());
    match crate::scheme::reader::read_one(heap, &rest) {
        Ok((value, length)) => {
            if let Some(port) = heap.port_mut(argument(arguments, 0)) {
                port.at += length;
            }
            Ok(value)
        }
        Err(problem) => Err(Fault::Domain(problem)),
    }
}
