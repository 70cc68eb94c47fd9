//! The facts that can be kept: what a profile decides, how it fails to compile, what the preflight scan finds in it, how it
//! differs from another one.

use std::sync::Arc;

use super::{Fact, MinimizeError, Observation, Outcome};
use crate::compile::{self, Limits};
use crate::decide::{Answer, Budget, Decider, Engine, Request, World};
use crate::diag::{Diagnostic, Severity, Source};
use crate::diff::semantic::{Change, CompareError, Comparison, Side};
use crate::policy::Policy;
use crate::probe::preflight::{self, Classification, Finding};
use crate::profile::{EvalOptions, Evaluation, Loader, evaluate};

/// The predicates in words, for help.
pub const PREDICATES: &str = "a predicate is one of 'decides allow|deny|depends OPERATION', 'compile-fails [CODE|TEXT]', \
                              'preflight-finds [SIGNATURE|NAME]', 'differs-from FILE'";

/// A predicate as people write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Predicate {
    /// `decides allow|deny|depends OPERATION`
    Decides {
        /// The answer.
        answer: Answer,
        /// The operation's name.
        operation: String,
    },
    /// `compile-fails [CODE|TEXT]`
    CompileFails {
        /// A code, or a part of the message; `None`: as the input fails.
        with: Option<String>,
    },
    /// `preflight-finds [SIGNATURE|NAME]`
    PreflightFinds {
        /// The signature, or a name in one of the findings; `None`: any signature.
        finding: Option<String>,
    },
    /// `differs-from FILE`
    DiffersFrom {
        /// The other profile or compiled profile.
        file: String,
    },
}

impl Predicate {
    /// Reads a predicate: its name and what it takes, with blanks or one `=` between them.
    ///
    /// # Errors
    /// [`MinimizeError::Predicate`].
    pub fn parse(text: &str) -> Result<Self, MinimizeError> {
        let error = || MinimizeError::Predicate { text: text.to_owned() };
        let split = |text: &str| {
            let (head, rest) = text.split_once([' ', '=']).unwrap_or((text, ""));
            (head.to_owned(), rest.trim().to_owned())
        };
        let (name, rest) = split(text.trim());
        let optional = (!rest.is_empty()).then(|| rest.clone());
        match name.as_str() {
            "decides" => {
                let (answer, operation) = split(&rest);
                let answer =
                    [Answer::Allow, Answer::Deny, Answer::Depends].into_iter().find(|each| each.name() == answer);
                match answer {
                    Some(answer) if !operation.is_empty() => Ok(Self::Decides { answer, operation }),
                    _ => Err(error()),
                }
            }
            "compile-fails" => Ok(Self::CompileFails { with: optional }),
            "preflight-finds" => Ok(Self::PreflightFinds { finding: optional }),
            "differs-from" if !rest.is_empty() => Ok(Self::DiffersFrom { file: rest }),
            _ => Err(error()),
        }
    }
}

/// How texts become policies.
#[derive(Clone)]
pub struct Setting<'a> {
    /// The name of the text, for messages.
    pub name: String,
    /// Where imports come from.
    pub loader: &'a dyn Loader,
    /// Target, parameters and limits.
    pub options: EvalOptions,
}

/// The first error among what was reported.
fn first_error(diagnostics: &[Diagnostic]) -> (String, String) {
    let error = diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Error);
    error.map_or_else(Default::default, |error| (error.code.0.to_owned(), error.message.clone()))
}

impl Setting<'_> {
    fn evaluate(&self, text: &Arc<[u8]>) -> Result<Evaluation, Vec<Diagnostic>> {
        let source = Source::new(self.name.as_str(), Arc::clone(text));
        evaluate(source, self.loader, &self.options).map_err(|failure| failure.diagnostics)
    }

    fn policy(&self, text: &Arc<[u8]>) -> Result<Policy, Observation> {
        self.evaluate(text).map(|evaluation| evaluation.policy).map_err(|diagnostics| invalid(&diagnostics))
    }

    /// The errors that keep `text` from being compiled; none when it compiles.
    fn errors(&self, text: &Arc<[u8]>) -> Vec<Diagnostic> {
        match self.evaluate(text) {
            Err(diagnostics) => diagnostics,
            Ok(evaluation) => match compile::compile(&evaluation.policy, &Limits::default()) {
                Ok(_) => Vec::new(),
                Err(error) => vec![Diagnostic::from(&error)],
            },
        }
    }

    /// The same setting with as many steps as `text` needs several times over: a text that lost its loop's end must not run
    /// until the limit each time.
    #[must_use]
    pub fn with_steps_of(mut self, text: &Arc<[u8]>) -> Self {
        if let Ok(evaluation) = self.evaluate(text) {
            let steps = evaluation.steps.saturating_mul(4).saturating_add(100_000);
            self.options.limits.steps = self.options.limits.steps.min(steps);
        }
        self
    }
}

fn invalid(diagnostics: &[Diagnostic]) -> Observation {
    let (code, message) = first_error(diagnostics);
    Observation { outcome: Outcome::Invalid, detail: format!("{code}: {message}") }
}

fn observed(holds: bool, detail: impl Into<String>) -> Observation {
    let outcome = if holds { Outcome::Holds } else { Outcome::Passes };
    Observation { outcome, detail: detail.into() }
}

/// The profile gives this answer to this request, by a rule with a filter if that is how the input comes to it: a rule that lost
/// its filter is another rule.
pub struct Decides<'a> {
    setting: Setting<'a>,
    request: Request,
    path: Option<(String, World, Option<bool>)>,
    answer: Answer,
    by_filter: bool,
    fact: String,
}

impl<'a> Decides<'a> {
    /// The answer to `request` is `answer`. `path` is a path as a program gives it, with the world it is walked in and whether a
    /// last link is followed.
    pub fn new(
        setting: Setting<'a>,
        request: Request,
        path: Option<(String, World, Option<bool>)>,
        answer: Answer,
        text: &Arc<[u8]>,
    ) -> Self {
        let of = path.as_ref().map_or_else(String::new, |(path, ..)| format!(" of {path}"));
        let operation = setting.options.target.operation(request.operation).name;
        let fact = format!("the answer to {operation}{of} is {}", answer.name());
        let mut decides = Self { setting, request, path, answer, by_filter: false, fact };
        decides.by_filter = decides.ask(text).is_ok_and(|(_, by_filter)| by_filter);
        decides
    }

    /// In what `text` differs from `other`, called `name`: a request that it allows and `other` refuses; else one that it refuses
    /// and `other` allows. `None` when there is neither.
    ///
    /// # Errors
    /// The two cannot be compared; a text that cannot be evaluated counts as no difference.
    pub fn unlike(
        setting: Setting<'a>,
        other: Side<'_>,
        name: &str,
        text: &Arc<[u8]>,
        budget: Budget,
    ) -> Result<Option<Self>, CompareError> {
        let Ok(policy) = setting.policy(text) else { return Ok(None) };
        let mut changes = Comparison::new(other, Side::Policy(&policy), budget)?.changes();
        let mut first =
            |wanted: fn(&mut Change) -> Option<Request>| changes.iter_mut().find_map(|(_, change)| wanted(change));
        let widened = first(|change| match change {
            Change::Differs { widened, .. } => widened.take(),
            _ => None,
        });
        let (answer, request) = match widened {
            Some(request) => (Answer::Allow, Some(request)),
            None => (
                Answer::Deny,
                first(|change| match change {
                    Change::Differs { narrowed, .. } => narrowed.take(),
                    _ => None,
                }),
            ),
        };
        let Some(request) = request else { return Ok(None) };
        let target = setting.options.target;
        let (does, other) = if answer == Answer::Allow { ("allows", "refuses") } else { ("refuses", "allows") };
        let values: String = request.words(target).iter().map(|word| format!(" {word}")).collect();
        let fact = format!("it {does} {}{values}, which {name} {other}", target.operation(request.operation).name);
        Ok(Some(Self { fact, ..Self::new(setting, request, None, answer, text) }))
    }

    /// The answer, and whether a rule with a filter gives it.
    fn ask(&self, text: &Arc<[u8]>) -> Result<(Answer, bool), Observation> {
        let engine = Engine::new(self.setting.policy(text)?);
        let (answer, decider) = match &self.path {
            None => {
                let verdict = engine.decide(&self.request);
                (verdict.answer, verdict.decider)
            }
            Some((path, world, follow)) => {
                let verdict = engine.decide_path(&self.request, path.as_bytes(), world, *follow);
                let verdict =
                    verdict.map_err(|error| Observation { outcome: Outcome::Invalid, detail: error.to_string() })?;
                (verdict.answer, verdict.decisive().decider)
            }
        };
        let rule = match decider {
            Decider::Rule(id) => engine.policy().get(id),
            Decider::Own(_) => None,
        };
        Ok((answer, rule.is_some_and(|rule| rule.filter.is_some())))
    }
}

impl Fact for Decides<'_> {
    fn describe(&self) -> String {
        self.fact.clone()
    }

    fn observe(&self, text: &Arc<[u8]>) -> Observation {
        match self.ask(text) {
            Err(observation) => observation,
            Ok((answer, by_filter)) if answer == self.answer && by_filter != self.by_filter => {
                Observation { outcome: Outcome::Invalid, detail: format!("{} by another kind of rule", answer.name()) }
            }
            Ok((answer, _)) => observed(answer == self.answer, answer.name()),
        }
    }
}

/// Which failure is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Failure {
    /// An error of this code.
    Code(String),
    /// An error whose message holds this.
    Text(String),
    /// This first error.
    Exactly(String, String),
}

/// The profile does not compile, with this error.
pub struct CompileFails<'a> {
    setting: Setting<'a>,
    failure: Failure,
}

impl<'a> CompileFails<'a> {
    /// Fails with the code or the part of a message `with`; `None`: with the first error that `text` has.
    pub fn new(setting: Setting<'a>, with: Option<String>, text: &Arc<[u8]>) -> Self {
        let is_code = |with: &String| {
            let digits = with.strip_prefix('E').unwrap_or_default();
            digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        let failure = match with {
            Some(code) if is_code(&code) => Failure::Code(code),
            Some(text) => Failure::Text(text),
            None => {
                let (code, message) = first_error(&setting.errors(text));
                Failure::Exactly(code, message)
            }
        };
        Self { setting, failure }
    }

    fn is_wanted(&self, error: &Diagnostic) -> bool {
        match &self.failure {
            Failure::Code(code) => error.code.0 == code,
            Failure::Text(text) => error.message.contains(text),
            Failure::Exactly(code, message) => error.code.0 == code && error.message == *message,
        }
    }
}

impl Fact for CompileFails<'_> {
    fn describe(&self) -> String {
        match &self.failure {
            Failure::Code(code) => format!("compiling fails with {code}"),
            Failure::Text(text) => format!("compiling fails with '{text}'"),
            Failure::Exactly(code, message) if code.is_empty() => format!("compiling fails{message}"),
            Failure::Exactly(code, message) => format!("compiling fails with {code}: {message}"),
        }
    }

    fn observe(&self, text: &Arc<[u8]>) -> Observation {
        let mut errors = self.setting.errors(text);
        errors.retain(|diagnostic| diagnostic.severity == Severity::Error);
        match errors.iter().find(|error| self.is_wanted(error)) {
            Some(error) => observed(true, format!("{}: {}", error.code, error.message)),
            None if errors.is_empty() => observed(false, "compiles"),
            None => invalid(&errors),
        }
    }
}

/// The preflight scan finds this in the profile.
pub struct PreflightFinds<'a> {
    setting: Setting<'a>,
    wanted: Finding,
    /// Only texts that compile count, because the input does.
    must_compile: bool,
}

impl<'a> PreflightFinds<'a> {
    /// The scan finds what it finds first in `text`, or, of what it finds there, the first under the signature or with the name
    /// `word`. When `text` compiles, only texts that compile count. `None`: it finds nothing like that in `text`.
    pub fn new(setting: Setting<'a>, word: Option<&str>, text: &Arc<[u8]>) -> Option<Self> {
        let record = preflight::scan_text("sbpl_text", &setting.name, text);
        let matches = |finding: &Finding| match word {
            None => true,
            Some(word) => record.signature.as_deref() == Some(word) || names(finding).iter().any(|name| name == word),
        };
        let wanted = record.findings.iter().find(|finding| matches(finding))?.clone();
        let must_compile = setting.errors(text).is_empty();
        Some(Self { setting, wanted, must_compile })
    }
}

/// The names in a finding.
fn names(finding: &Finding) -> Vec<String> {
    let fields = serde_json::to_value(finding).unwrap_or_default();
    let fields = fields.as_object().into_iter().flat_map(serde_json::Map::values);
    fields.filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

impl Fact for PreflightFinds<'_> {
    fn describe(&self) -> String {
        format!("the preflight scan finds {}", names(&self.wanted).join(" "))
    }

    fn observe(&self, text: &Arc<[u8]>) -> Observation {
        let record = preflight::scan_text("sbpl_text", &self.setting.name, text);
        if record.classification == Classification::Invalid {
            return Observation { outcome: Outcome::Invalid, detail: record.error.unwrap_or_default() };
        }
        if self.must_compile {
            let errors = self.setting.errors(text);
            if !errors.is_empty() {
                return invalid(&errors);
            }
        }
        let detail = record.signature.as_deref().unwrap_or("no known signature");
        match (record.findings.contains(&self.wanted), record.findings.is_empty()) {
            (true, _) => observed(true, detail),
            (false, true) => observed(false, detail),
            (false, false) => Observation { outcome: Outcome::Invalid, detail: format!("{detail}, but another one") },
        }
    }
}
