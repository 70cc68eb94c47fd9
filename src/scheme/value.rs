//! The values of the language. All are small and copied; what they refer to lives in the [`Heap`](super::Heap).

/// A symbol: equal names have equal numbers within one heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Symbol(pub(super) u32);

/// Index of a cell in one of the heap's arenas.
pub type Ref = u32;

/// An environment; 0 is the global one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Env(pub(super) u32);

impl Env {
    /// Where definitions at top level go.
    pub const GLOBAL: Self = Self(0);
}

/// A value that the machine carries for its [`Host`](super::Host) without looking into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HostValue(pub u32);

/// A value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// `()`; true, as everything but `#f` is.
    Nil,
    /// `#t` or `#f`.
    Bool(bool),
    /// An integer; arithmetic wraps, as in the C of TinyScheme.
    Int(i64),
    /// A number with a point.
    Real(f64),
    /// One byte.
    Char(u8),
    /// A symbol.
    Symbol(Symbol),
    /// A string of bytes.
    String(Ref),
    /// A pair.
    Pair(Ref),
    /// A vector.
    Vector(Ref),
    /// A procedure of the program.
    Closure(Ref),
    /// A macro of the program: a closure that gets the whole form.
    Macro(Ref),
    /// The result of `delay` and `cons-stream`'s tail.
    Promise(Ref),
    /// What `call/cc` hands over.
    Continuation(Ref),
    /// An environment as a value.
    Environment(Env),
    /// An input port over a string.
    Port(Ref),
    /// A special form that a profile may rebind (`when`, `unless`, `do` …).
    Special(super::special::Special),
    /// A built-in procedure.
    Builtin(u16),
    /// A procedure of the host.
    HostProcedure(HostValue),
    /// Any other value of the host.
    Host(HostValue),
    /// What reading past the end of a port gives.
    Eof,
}

impl Value {
    /// Everything but `#f` is true, `()` included.
    pub fn is_true(self) -> bool {
        self != Self::Bool(false)
    }

    /// True for what can be called.
    pub fn is_procedure(self) -> bool {
        matches!(self, Self::Closure(_) | Self::Builtin(_) | Self::HostProcedure(_) | Self::Continuation(_))
    }

    /// What kind of value it is, as Apple's messages say it (`expected pattern, got boolean`).
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Nil => "()",
            Self::Bool(_) => "boolean",
            Self::Int(_) | Self::Real(_) => "number",
            Self::Char(_) => "character",
            Self::Symbol(_) => "symbol",
            Self::String(_) => "string",
            Self::Pair(_) => "pair",
            Self::Vector(_) => "vector",
            Self::Closure(_) | Self::Builtin(_) | Self::HostProcedure(_) => "procedure",
            Self::Macro(_) | Self::Special(_) => "macro",
            Self::Promise(_) => "promise",
            Self::Continuation(_) => "continuation",
            Self::Environment(_) => "environment",
            Self::Port(_) => "port",
            Self::Host(_) => "object",
            Self::Eof => "eof",
        }
    }
}
