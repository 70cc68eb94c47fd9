//! `sbpl selfcheck`: is the native compiler right, here and now?

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::compile::{library_failure, sha256};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::{files, host, input};
use crate::compile::libsandbox::{Agreement, DEFAULT_LIBRARY, Input, Library, LibraryError, Repeated};
use crate::compile::{self, Limits, golden};
use crate::diag::Source;
use crate::profile::{EvalOptions, NoImports, evaluate};

/// Compile the built-in profiles and the given ones with our own compiler and with the system's, and compare the bytes.
///
/// The built-in profiles are compared with the recorded digests first, which needs no Mac. Exit status 1 when something differs, 69 when all is well so far but there is no libsandbox.
/// With --json, and in the report: {"sbpl", "target", "host", "recorded": {"right", "total"}, "library": {"path", "available", "message"}, "cases": [{"name", "size_bytes", "sha256", "recorded", "library", "agreement", "distinct", "first_difference", "message"}]}. "agreement" compares the two programs: identical, same_structure, different, unreadable; "distinct" counts the library's own results. A library that is not deterministic need agree in structure only.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Further profiles to compare.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write the report here, as --json prints it: what to attach to an issue. It holds digests and messages, no profiles.
    #[arg(short, long, value_name = "REPORT.json")]
    output: Option<PathBuf>,
    /// Another library than the system's.
    #[arg(long, value_name = "PATH")]
    libsandbox: Option<PathBuf>,
    /// How often the library compiles each profile.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    attempts: u32,
}

/// One profile in both compilers.
struct Case {
    name: String,
    text: Vec<u8>,
    params: crate::profile::Params,
    /// The native result, or why there is none.
    native: Result<Vec<u8>, String>,
    /// The digest that is a recorded fact.
    recorded: Option<&'static str>,
    /// The library's result.
    library: Option<Result<Repeated, String>>,
}

impl Case {
    fn recorded_is_right(&self) -> Option<bool> {
        let recorded = self.recorded?;
        Some(self.native.as_ref().is_ok_and(|bytes| sha256(bytes) == recorded))
    }

    fn is_bad(&self) -> bool {
        self.recorded_is_right() == Some(false) || self.library_agrees() == Some(false)
    }

    fn library_agrees(&self) -> Option<bool> {
        match (&self.native, self.library.as_ref()?) {
            // No result of a library that is not deterministic is the right one; the structure is.
            (Ok(native), Ok(library)) if library.distinct > 1 => {
                Some(matches!(Agreement::of(native, &library.bytes), Agreement::Identical | Agreement::SameStructure))
            }
            (Ok(native), Ok(library)) => Some(*native == library.bytes),
            // Both refuse it.
            (Err(_), Err(_)) => Some(true),
            _ => Some(false),
        }
    }

    fn first_difference(&self) -> Option<usize> {
        match (&self.native, &self.library) {
            (Ok(native), Some(Ok(library))) if *native != library.bytes => {
                Some(native.iter().zip(&library.bytes).take_while(|(a, b)| a == b).count())
            }
            _ => None,
        }
    }

    /// Whether bytes that differ still mean the same, operation by operation.
    fn agreement(&self) -> Option<Agreement> {
        match (&self.native, self.library.as_ref()?) {
            (Ok(native), Ok(library)) => Some(Agreement::of(native, &library.bytes)),
            _ => None,
        }
    }

    /// What differs, in words.
    fn structure(&self) -> Option<String> {
        match self.agreement()? {
            Agreement::Identical => None,
            Agreement::SameStructure => Some("other bytes, the same programs".to_owned()),
            Agreement::Unreadable => Some("bytes that are no blob".to_owned()),
            Agreement::Different(operations) => {
                let target = crate::vocab::default_target();
                let names: Vec<&str> = operations.iter().map(|operation| target.operation(*operation).name).collect();
                Some(format!("the programs differ of: {}", names.join(", ")))
            }
        }
    }

    fn message(&self) -> Option<String> {
        let native = self.native.as_ref().err().map(|message| format!("native: {message}"));
        let library = self.library.as_ref().and_then(|outcome| outcome.as_ref().err());
        let parts: Vec<String> = native
            .into_iter()
            .chain(library.map(|message| format!("libsandbox: {message}")))
            .chain(self.structure())
            .collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "size_bytes": self.native.as_ref().ok().map(Vec::len),
            "sha256": self.native.as_ref().ok().map(|bytes| sha256(bytes)),
            "recorded": self.recorded_is_right(),
            "library": self.library_agrees(),
            "agreement": self.agreement().map(|agreement| agreement.name()),
            "distinct": self.library.as_ref().and_then(|library| Some(library.as_ref().ok()?.distinct)),
            "first_difference": self.first_difference(),
            "message": self.message(),
        })
    }
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let mut cases = built_in();
        for path in &self.files {
            cases.push(given(context, path)?);
        }
        let (mut right, mut total) = (0, 0);
        for outcome in cases.iter().filter_map(Case::recorded_is_right) {
            total += 1;
            right += usize::from(outcome);
        }
        let library = Library::open(self.libsandbox.as_deref());
        if let Ok(library) = &library {
            for case in &mut cases {
                let params = Some(case.params.iter().map(|(key, value)| (key.as_str(), value.as_str())));
                let outcome = library.compile_repeatedly(Input::Text(&case.text), params, self.attempts);
                case.library = Some(outcome.map_err(|error| error.to_string()));
            }
        }
        let document = self.document(context, &cases, (right, total), library.as_ref().err());
        if let Some(output) = &self.output {
            let inputs: Vec<&Path> = self.files.iter().map(PathBuf::as_path).collect();
            files::write_atomically(context, output, format!("{document:#}\n").as_bytes(), &inputs)?;
        }
        if context.json {
            context.print_json(&document);
        } else {
            context.print(text(&cases, (right, total), library.is_ok()));
        }
        match library {
            _ if cases.iter().any(Case::is_bad) => Ok(Exit::No),
            Ok(_) => Ok(Exit::Fine),
            Err(error) => Err(library_failure(Path::new(""), &error)),
        }
    }

    fn document(
        &self,
        context: &Context,
        cases: &[Case],
        (right, total): (usize, usize),
        missing: Option<&LibraryError>,
    ) -> Value {
        let library = self.libsandbox.as_deref().unwrap_or(Path::new(DEFAULT_LIBRARY));
        json!({
            "sbpl": env!("CARGO_PKG_VERSION"),
            "target": context.target.name(),
            "host": host::host(None),
            "recorded": { "right": right, "total": total },
            "library": {
                "path": library.display().to_string(),
                "available": missing.is_none(),
                "message": missing.map(ToString::to_string),
            },
            "cases": cases.iter().map(Case::to_json).collect::<Vec<_>>(),
        })
    }
}

/// What people read: the counts, what is wrong, and what our own compiler made of the given files.
fn text(cases: &[Case], (right, total): (usize, usize), has_library: bool) -> String {
    let mut text = format!("native compiler against recorded blobs: {right} of {total} right\n");
    if has_library {
        let agree = cases.iter().filter(|case| case.library_agrees() == Some(true)).count();
        text += &format!("native compiler against libsandbox: {agree} of {} agree\n", cases.len());
    }
    for case in cases {
        let at = case.first_difference().map_or_else(String::new, |at| format!(" first difference at byte {at:#x}"));
        if case.is_bad() {
            text += &format!("wrong: {}{at} {}\n", case.name, case.message().unwrap_or_default());
        } else if case.recorded.is_none() && !has_library {
            let made = match &case.native {
                Ok(bytes) => format!("{} bytes, sha256 {}", bytes.len(), sha256(bytes)),
                Err(message) => format!("not compiled: {message}"),
            };
            text += &format!("not compared: {}: {made}\n", case.name);
        }
    }
    text
}

fn built_in() -> Vec<Case> {
    let case = |fact: &'static golden::Fact| {
        let options = EvalOptions { params: Some(fact.params.clone()), ..EvalOptions::default() };
        let source = Source::new(fact.name, fact.text.as_bytes());
        let native = match evaluate(source, &NoImports, &options) {
            Ok(evaluation) => compile::compile(&evaluation.policy, &Limits::default())
                .map(|compiled| compiled.bytes)
                .map_err(|error| error.to_string()),
            Err(failure) => Err(failure.to_string()),
        };
        Case {
            name: fact.name.to_owned(),
            text: fact.text.as_bytes().to_vec(),
            params: fact.params.clone(),
            native,
            recorded: Some(&fact.sha256),
            library: None,
        }
    };
    golden::facts().iter().map(case).collect()
}

/// A file of the user's. One that does not evaluate is a case too: the library must refuse it as well.
fn given(context: &mut Context, path: &Path) -> Result<Case, Box<Failure>> {
    let source = input::text(context, path)?;
    let text = source.text().to_vec();
    let native = match input::evaluate(context, source) {
        Ok(evaluation) => compile::compile(&evaluation.policy, &Limits::default())
            .map(|compiled| compiled.bytes)
            .map_err(|error| error.to_string()),
        Err(failure) => {
            Err(failure.diagnostics.iter().map(|diagnostic| diagnostic.message.clone()).collect::<Vec<_>>().join("; "))
        }
    };
    let (name, params) = (path.display().to_string(), context.params.clone());
    Ok(Case { name, text, params, native, recorded: None, library: None })
}
