//! `sbpl compile`: a profile to a blob.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::context::Context;
use super::exit::{Exit, Failure};
use super::{files, input, render};
use crate::blob::{self, Blob};
use crate::compile::libsandbox::{Input, Library, LibraryError};
use crate::compile::{self, CompileError, Limits, Unproven};
use crate::diag::{Code, Diagnostic, SourceMap};

/// Compile a profile, and say what about it the recorded blobs of macOS 14.4.1 do not settle.
///
/// With --json: {"backend", "target", "size_bytes", "sha256", "header", "warnings": […], "unproven": [{"name", "reference", "text"}]}; with --backend libsandbox also "library": {"attempts", "failures", "distinct", "agreement"}.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Profile; `-` is standard input.
    #[arg(value_name = "FILE", required_unless_present = "named")]
    file: Option<PathBuf>,
    /// Where the blob goes; `-` is standard output. Needed unless --json is given, which without it writes nothing.
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Which compiler.
    #[arg(long, value_enum, default_value_t = Backend::Native, value_name = "BACKEND")]
    backend: Backend,
    /// Compile for a system whose compiler is not known by the rules of macOS 14.4; --json lists that as unproven.
    #[arg(long)]
    any_target: bool,
    /// Another library than the system's, for --backend libsandbox.
    #[arg(long, value_name = "PATH")]
    libsandbox: Option<PathBuf>,
    /// A profile of the system by its name, such as `bsd`, in place of FILE; needs --backend libsandbox.
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    named: Option<String>,
    /// Compile so many times and compare the results, with --backend libsandbox; what came most often is taken.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    attempts: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Backend {
    /// Our own, for macOS 14.4.
    Native,
    /// Apple's, on a Mac, for the system that runs.
    Libsandbox,
}

impl Backend {
    const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Libsandbox => "libsandbox",
        }
    }
}

const CODE_NO_OUTPUT: Code = Code("E0707");

/// What a backend gave.
struct Product {
    bytes: Vec<u8>,
    warnings: Vec<Value>,
    unproven: Vec<Unproven>,
    /// What the library's attempts came to; none for the native compiler.
    library: Option<Value>,
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        if self.output.is_none() && !context.json {
            let message = "nowhere to write the compiled profile: give -o OUT, or --json to see what it would be";
            return Err(Failure::new(Exit::Usage, CODE_NO_OUTPUT, message));
        }
        let product = match (self.backend, &self.file) {
            (Backend::Native, Some(file)) => native(context, file, self.any_target)?,
            (Backend::Native, None) => {
                let message = "--named asks the library for a profile of the system: give --backend libsandbox";
                return Err(Failure::new(Exit::Usage, CODE_NO_OUTPUT, message));
            }
            (Backend::Libsandbox, _) => self.by_library(context)?,
        };
        if let Some(output) = &self.output {
            let inputs: Vec<&Path> = self.file.iter().map(PathBuf::as_path).collect();
            files::write_atomically(context, output, &product.bytes, &inputs)?;
        }
        if !context.json {
            for Unproven { name, text, .. } in &product.unproven {
                context.tell(format!("not proven to be Apple's bytes: {name}: {text}"));
            }
        }
        // With the blob on standard output there is no room for anything else.
        if context.json && self.output.as_deref() != Some(Path::new("-")) {
            let header = Blob::parse(&product.bytes, &blob::Options::default()).ok().map(|blob| json!(blob.header()));
            let mut document = json!({
                "backend": self.backend.name(),
                "target": context.target.name(),
                "size_bytes": product.bytes.len(),
                "sha256": sha256(&product.bytes),
                "header": header,
                "warnings": product.warnings,
                "unproven": product.unproven,
            });
            if let Some(library) = product.library {
                document["library"] = library;
            }
            context.print_json(&document);
        }
        Ok(Exit::Fine)
    }

    /// Compiles with the library; parameters always go in a table, as `sandbox-exec` hands them over.
    fn by_library(&self, context: &Context) -> Result<Product, Box<Failure>> {
        let name = self.named.as_deref().map(Path::new).or(self.file.as_deref()).unwrap_or(Path::new(""));
        let library = Library::open(self.libsandbox.as_deref()).map_err(|error| library_failure(name, &error))?;
        let params = Some(context.params.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        let standard_input;
        let input = match (&self.named, &self.file) {
            (Some(name), _) => Input::Named(name),
            (None, Some(file)) => {
                // What cannot be read is our failure (66), not the library's.
                let source = input::text(context, file)?;
                if file == Path::new("-") {
                    standard_input = source;
                    Input::Text(standard_input.text())
                } else {
                    Input::File(file)
                }
            }
            // The arguments need one of them.
            (None, None) => Input::Text(&[]),
        };
        let made =
            library.compile_repeatedly(input, params, self.attempts).map_err(|error| library_failure(name, &error))?;
        let facts = json!({
            "attempts": made.attempts,
            "failures": made.failures,
            "distinct": made.distinct,
            "agreement": made.agreement.name(),
        });
        Ok(Product { bytes: made.bytes, warnings: Vec::new(), unproven: Vec::new(), library: Some(facts) })
    }
}

fn native(context: &mut Context, file: &Path, any_target: bool) -> Result<Product, Box<Failure>> {
    let evaluation = input::profile(context, file)?;
    let compile = if any_target { compile::compile_by_known_rules } else { compile::compile };
    let compiled = compile(&evaluation.policy, &Limits::default()).map_err(|error| failure(file, &error))?;
    let warnings = evaluation.warnings.iter().map(|warning| render::json(&evaluation.sources, warning)).collect();
    Ok(Product { bytes: compiled.bytes, warnings, unproven: compiled.unproven, library: None })
}

/// A failure of the native compiler.
pub(super) fn failure(file: &Path, error: &CompileError) -> Box<Failure> {
    let exit = if matches!(error, CompileError::Target { .. }) { Exit::Unavailable } else { Exit::BadInput };
    about(file, exit, error.into())
}

/// A failure of the library or to find it.
pub(super) fn library_failure(file: &Path, error: &LibraryError) -> Box<Failure> {
    let exit = if error.is_unavailable() { Exit::Unavailable } else { Exit::BadInput };
    if error.is_unavailable() {
        return Failure::from_diagnostics(exit, vec![error.into()], SourceMap::new());
    }
    about(file, exit, error.into())
}

fn about(file: &Path, exit: Exit, mut diagnostic: Diagnostic) -> Box<Failure> {
    diagnostic.message = format!("{}: {}", file.display(), diagnostic.message);
    Failure::from_diagnostics(exit, vec![diagnostic], SourceMap::new())
}

/// The digest in hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
