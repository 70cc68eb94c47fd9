//! What can be wrong with the SBPL part of a profile.

use thiserror::Error;

use super::codes;
use crate::diag::{Code, Diagnostic};
use crate::pattern::RegexError;
use crate::vocab::Action;

/// An SBPL error. The display text is Apple's where it is known (`spec/sbpl-language.md` section 14).
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ProfileError {
    /// Nothing called `version`.
    #[error("no version specified")]
    NoVersion,
    /// A version that the target does not have.
    #[error("unsupported version {0}")]
    UnsupportedVersion(String),
    /// A second `version` with another number.
    #[error("only one version may be specified")]
    SecondVersion,
    /// Lower than the caller demands.
    #[error("SBPL version {minimum} or greater is required (got version {found})")]
    VersionTooLow {
        /// What is demanded.
        minimum: u8,
        /// What the profile says.
        found: u8,
    },
    /// A rule argument that is no operation, filter or modifier.
    #[error("illegal argument: {0}")]
    IllegalArgument(String),
    /// A rule without operation.
    #[error("at least one operation required")]
    NoOperation,
    /// A modifier stands twice in one rule.
    #[error("{0} modifier can only appear once per rule")]
    ModifierTwice(&'static str),
    /// A modifier for the other action.
    #[error("{modifier} modifier does not apply to {action} action")]
    ModifierAction {
        /// The modifier.
        modifier: &'static str,
        /// The rule's action.
        action: Action,
    },
    /// A modifier that the operation does not take.
    #[error("{modifier} modifier does not apply to {operation} operation")]
    ModifierOperation {
        /// The modifier.
        modifier: &'static str,
        /// The operation.
        operation: &'static str,
    },
    /// A filter that the operation does not take.
    #[error("{filter} filter does not apply to {operation} operation")]
    FilterOperation {
        /// The filter.
        filter: &'static str,
        /// The operation.
        operation: &'static str,
    },
    /// A filter's argument is of the wrong type.
    #[error("invalid data type of {filter} filter; expected {expected}, got {found}")]
    FilterData {
        /// The filter.
        filter: &'static str,
        /// Which argument, from 1.
        index: usize,
        /// What it wants.
        expected: &'static str,
        /// What it got.
        found: &'static str,
    },
    /// A filter's argument is of the right type, with a value that it cannot have.
    #[error("malformed {filter} filter")]
    MalformedFilter {
        /// The filter.
        filter: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A regex that cannot be read.
    #[error("{error}")]
    Regex {
        /// What is wrong.
        error: RegexError,
        /// The regex.
        text: String,
    },
    /// `(with x)` where x is no modifier.
    #[error("illegal modifier")]
    IllegalModifier,
    /// A modifier with arguments that it cannot have.
    #[error("malformed modifier: {0}")]
    MalformedModifier(&'static str),
    /// `(require-any)` or `(require-all)`.
    #[error("{0} requires at least one filter")]
    EmptyCombination(&'static str),
    /// An argument of these that is no filter.
    #[error("arguments to {0} must be filters")]
    CombinationArguments(&'static str),
    /// `require-not` of anything but one filter.
    #[error("malformed combination filter")]
    MalformedCombination,
    /// `require-entitlement` with a second argument that is no filter.
    #[error("expected filter as second argument")]
    EntitlementSecond,
    /// `require-entitlement` with more than two arguments.
    #[error("too many arguments to require-entitlement")]
    EntitlementMany,
    /// `entitlement-value` of neither a string nor a boolean.
    #[error("entitlement-value argument must be string or boolean")]
    EntitlementValue,
    /// `entitlement-value-regex` of no string.
    #[error("entitlement-value-regex argument must be string")]
    EntitlementRegex,
    /// A host that is neither `*` nor `localhost`.
    #[error("host must be * or localhost in network address")]
    NetworkHost,
    /// An address without `:`.
    #[error("port missing in network address")]
    NetworkPortMissing,
    /// A port that is no number up to 65535.
    #[error("invalid port in network address")]
    NetworkPort,
    /// An address that is no string.
    #[error("{0} expects string argument")]
    NetworkString(&'static str),
    /// A message operation outside of a message filter, or any other inside.
    #[error("{0} operation not applicable in this context")]
    OperationContext(&'static str),
    /// Two storage classes of one name.
    #[error("storage class \"{0}\" multiply defined")]
    StorageClassTwice(String),
    /// A storage class in an ordinary profile.
    #[error("storage class definition not permitted in this context")]
    StorageClassContext,
    /// A directive with the wrong kind of argument.
    #[error("{0}")]
    Directive(&'static str),
    /// A file that cannot be opened.
    #[error("unable to open {name}")]
    Import {
        /// As the profile wrote it.
        name: String,
        /// Where was looked.
        reason: String,
    },
    /// A file that may not be opened.
    #[error("unable to open {name}: {reason}")]
    ImportRefused {
        /// As the profile wrote it.
        name: String,
        /// Why not.
        reason: String,
        /// What can be done about it.
        help: Option<String>,
    },
    /// An imported text has syntax errors.
    #[error("{name} has syntax errors")]
    ImportSyntax {
        /// Its name.
        name: String,
        /// What the reader says.
        diagnostics: Vec<Diagnostic>,
    },
    /// Too many imports or too large ones.
    #[error("{message}")]
    ImportLimit {
        /// The limit's name.
        limit: &'static str,
        /// What is too much.
        message: String,
    },
    /// Too many rules.
    #[error("the profile makes more than {0} rules")]
    RuleLimit(usize),
    /// Too many tests.
    #[error("the filters of the profile have more than {0} tests")]
    FilterTests(usize),
    /// Filters nested too deep.
    #[error("filters are nested deeper than {0}")]
    FilterDepth(usize),
}

impl ProfileError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::NoVersion => codes::NO_VERSION,
            Self::UnsupportedVersion(_) | Self::SecondVersion | Self::VersionTooLow { .. } => codes::VERSION,
            Self::IllegalArgument(_) => codes::ILLEGAL_ARGUMENT,
            Self::NoOperation => codes::NO_OPERATION,
            Self::ModifierTwice(_) => codes::MODIFIER_TWICE,
            Self::ModifierAction { .. } | Self::ModifierOperation { .. } => codes::MODIFIER_MISPLACED,
            Self::FilterOperation { .. } => codes::FILTER_MISPLACED,
            Self::FilterData { .. } => codes::FILTER_DATA,
            Self::MalformedFilter { .. } => codes::MALFORMED_FILTER,
            Self::Regex { error, .. } => error.code(),
            Self::IllegalModifier | Self::MalformedModifier(_) => codes::MALFORMED_MODIFIER,
            Self::EmptyCombination(_) | Self::CombinationArguments(_) | Self::MalformedCombination => {
                codes::COMBINATION
            }
            Self::EntitlementSecond | Self::EntitlementMany | Self::EntitlementValue | Self::EntitlementRegex => {
                codes::ENTITLEMENT
            }
            Self::NetworkHost | Self::NetworkPortMissing | Self::NetworkPort | Self::NetworkString(_) => {
                codes::NETWORK_ADDRESS
            }
            Self::OperationContext(_) => codes::OPERATION_CONTEXT,
            Self::StorageClassTwice(_) | Self::StorageClassContext => codes::STORAGE_CLASS,
            Self::Directive(_) => codes::DIRECTIVE,
            Self::Import { .. } | Self::ImportSyntax { .. } => codes::IMPORT,
            Self::ImportRefused { .. } => codes::IMPORT_REFUSED,
            Self::ImportLimit { .. } => codes::IMPORT_LIMIT,
            Self::RuleLimit(_) => codes::RULE_LIMIT,
            Self::FilterTests(_) | Self::FilterDepth(_) => codes::FILTER_LIMIT,
        }
    }
}
