//! What can be wrong with a shim file, or with applying it.

use thiserror::Error;

use crate::diag::{Code, Diagnostic, Location, SourceId, Span};
use crate::diff::semantic::Direction;
use crate::syntax::SyntaxError;

/// Every code of this room with its meaning in one line.
pub const CODES: [(Code, &str); 11] = [
    (EXPECTED, "a form of a shim file is not what its place asks for"),
    (UNKNOWN_CLAUSE, "a shim holds a form that is no step and no statement"),
    (BAD_NAME, "a shim's name is missing, has other letters than a-z 0-9 - or is taken"),
    (BAD_PATHS, "a pair of paths does not lead from one absolute path to another that is outside of it"),
    (NO_STEP, "a shim without steps"),
    (UNSTABLE, "applying the shim to its own result would change it again"),
    (CONTRACT_TWICE, "a shim says twice what it widens or narrows"),
    (TOO_DEEP, "steps are nested deeper than the limit"),
    (BROKEN, "a shim changes more answers than its contract says"),
    (BAD_SCOPE, "a scope of a contract means nothing on this system"),
    (UNPROVED, "whether a shim keeps its contract was not decided"),
];

const EXPECTED: Code = Code("E0501");
const UNKNOWN_CLAUSE: Code = Code("E0502");
const BAD_NAME: Code = Code("E0503");
const BAD_PATHS: Code = Code("E0504");
const NO_STEP: Code = Code("E0505");
const UNSTABLE: Code = Code("E0506");
const CONTRACT_TWICE: Code = Code("E0507");
const TOO_DEEP: Code = Code("E0508");
const BROKEN: Code = Code("E0509");
const BAD_SCOPE: Code = Code("E0510");
/// For the warning that a contract was not decided.
pub const UNPROVED: Code = Code("E0511");

/// Kinds of [`ShimError`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ShimErrorKind {
    /// The text is not even SBPL data.
    #[error(transparent)]
    Syntax(SyntaxError),
    /// Something else stands where this should.
    #[error("expected {0}")]
    Expected(&'static str),
    /// No step or statement has this name.
    #[error("unknown form ({name} …) in a shim")]
    UnknownClause {
        /// The word after the parenthesis.
        name: String,
    },
    /// Names are what the command line and bundles call shims by.
    #[error("a shim's name is a word of a-z, 0-9 and '-'")]
    BadName,
    /// Two shims of one file share a name.
    #[error("there are two shims with the name {0}")]
    NameTaken(String),
    /// A pair such as `("/tmp" "/tmp/x")`, or one that is not absolute.
    #[error("expected a pair of absolute paths, the second not below the first")]
    BadPaths,
    /// Nothing would ever happen.
    #[error("the shim has no step")]
    NoStep,
    /// See [`super::apply`].
    #[error("the shim '{0}' would change its own result again")]
    Unstable(String),
    /// `(widens …)` or `(narrows …)` twice.
    #[error("the shim says twice what it {0}")]
    ContractTwice(&'static str),
    /// `for-profile` and `unless-rule` inside each other.
    #[error("steps are nested more than {limit} deep")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// See [`super::Shim::check_contract`].
    #[error("the shim '{shim}' {} {operation} where it does not say so: {}", opens(*.direction), request(.values))]
    Broken {
        /// The shim.
        shim: String,
        /// Which way the answer changes.
        direction: Direction,
        /// The operation of the request that shows it.
        operation: &'static str,
        /// The values of that request, as `sbpl decide --arg` takes them.
        values: Vec<String>,
        /// The other operations for which the contract is broken that way.
        others: Vec<String>,
    },
    /// An operation or filter of a contract that this system does not have.
    #[error("this scope cannot be evaluated: {0}")]
    BadScope(String),
}

fn opens(direction: Direction) -> &'static str {
    match direction {
        Direction::Widened => "opens",
        Direction::Narrowed => "closes",
    }
}

fn request(values: &[String]) -> String {
    if values.is_empty() { "any request".to_owned() } else { values.join(" ") }
}

impl ShimErrorKind {
    /// The stable code.
    pub const fn code(&self) -> Option<Code> {
        Some(match self {
            // Such an error keeps the code of its own room.
            Self::Syntax(_) => return None,
            Self::Expected(_) => EXPECTED,
            Self::UnknownClause { .. } => UNKNOWN_CLAUSE,
            Self::BadName | Self::NameTaken(_) => BAD_NAME,
            Self::BadPaths => BAD_PATHS,
            Self::NoStep => NO_STEP,
            Self::Unstable(_) => UNSTABLE,
            Self::ContractTwice(_) => CONTRACT_TWICE,
            Self::TooDeep { .. } => TOO_DEEP,
            Self::Broken { .. } => BROKEN,
            Self::BadScope(_) => BAD_SCOPE,
        })
    }

    fn help(&self) -> Option<&'static str> {
        match self {
            Self::UnknownClause { .. } => Some(
                "Forms of a shim: doc, widens, narrows, append, add-sibling, rewrite-prefix, replace, drop, \
                 for-profile, unless-rule.",
            ),
            Self::Unstable(_) => {
                Some("A replacement must not match the pattern that it replaces, and no step may undo another.")
            }
            Self::Broken { direction: Direction::Widened, .. } => {
                Some("State it in (widens …), or make the shim's rules narrower.")
            }
            Self::Broken { direction: Direction::Narrowed, .. } => {
                Some("State it in (narrows …), or make the shim's rules narrower.")
            }
            Self::BadScope(_) => Some("A scope is (OPERATION… FILTER…), written as in a rule; _ is any operation."),
            _ => None,
        }
    }

    fn note(&self) -> Option<String> {
        match self {
            Self::Broken { others, .. } if !others.is_empty() => {
                Some(format!("the same happens to {}", others.join(", ")))
            }
            _ => None,
        }
    }
}

/// An error and where in the shim file it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind}")]
pub struct ShimError {
    /// What is wrong.
    pub kind: ShimErrorKind,
    /// Where in the shim file.
    pub span: Span,
}

impl ShimError {
    /// The same as a diagnostic about the shim file `source`.
    pub fn to_diagnostic(&self, source: SourceId) -> Diagnostic {
        let code = match (&self.kind, self.kind.code()) {
            (ShimErrorKind::Syntax(error), _) => return error.to_diagnostic(source),
            (_, code) => code.unwrap_or(EXPECTED),
        };
        let mut diagnostic = Diagnostic::error(code, self.kind.to_string()).at(Location::new(source, self.span));
        diagnostic.help.extend(self.kind.help().map(str::to_owned));
        diagnostic.notes.extend(self.kind.note());
        diagnostic
    }
}
