//! `sbpl plan`: plans before they are run.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use super::context::Context;
use super::exit::{Exit, Failure};
use super::files;
use super::run::{PlanFiles, exit_of, failure};
use crate::diag::Code;
use crate::probe::{self, Files, Finding, PlanSet};

/// Check, make and list plans.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Report everything that keeps a plan from being run; exit status 65 when there is something.
    Lint {
        /// Plan or template; without one the built-in golden plan.
        plan: Option<PathBuf>,
    },
    /// Split a template into plan.json and its registries.
    Build {
        /// The template.
        #[arg(long, value_name = "FILE")]
        template: PathBuf,
        /// Folder for the files.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Replace files that are there.
        #[arg(long)]
        overwrite: bool,
        /// Write expected_matrix.json too.
        #[arg(long)]
        write_expected_matrix: bool,
    },
    /// Show the profiles and probes of a plan.
    List {
        /// Plan or template; without one the built-in golden plan.
        plan: Option<PathBuf>,
    },
}

const CODE_EXISTS: Code = Code("E0722");

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        match self.verb {
            Verb::Lint { plan } => lint(context, plan),
            Verb::Build { template, out, overwrite, write_expected_matrix } => {
                build(context, &template, &out, overwrite, write_expected_matrix)
            }
            Verb::List { plan } => list(context, plan),
        }
    }
}

/// The plan at `path`, or the built-in one, with where its files come from.
pub(super) fn load(context: &Context, path: Option<PathBuf>) -> Result<(PlanSet, Box<dyn Files>), Box<Failure>> {
    let Some(path) = path else {
        return Ok((probe::golden::plan_set().map_err(failure)?, Box::new(probe::golden::Embedded)));
    };
    let disk = PlanFiles::beside(&path, context.limit("input-bytes"));
    let source = files::read(context, &path)?;
    let set = PlanSet::load_source(source, &disk).map_err(|failed| {
        let exit = exit_of(&failed.error);
        Failure::from_diagnostics(exit, failed.to_diagnostics(), failed.sources)
    })?;
    Ok((set, Box::new(disk)))
}

/// A plan that is an expected matrix only.
pub(super) fn load_matrix(context: &Context, path: &Path) -> Result<(PlanSet, Box<dyn Files>), Box<Failure>> {
    let disk = PlanFiles::beside(path, context.limit("input-bytes"));
    let source = files::read(context, path)?;
    Ok((PlanSet::from_matrix(source.text()).map_err(failure)?, Box::new(disk)))
}

fn lint(context: &mut Context, plan: Option<PathBuf>) -> Result<Exit, Box<Failure>> {
    let (set, files) = load(context, plan)?;
    let findings = probe::lint(&set, files.as_ref());
    if context.json {
        context.print_json(&json!({
            "plan_id": set.plan.plan_id,
            "plan_digest": set.plan.digest(),
            "findings": findings.iter().map(|finding| &finding.text).collect::<Vec<_>>(),
            "places": findings.iter().map(|finding| place(&set, finding)).collect::<Vec<_>>(),
        }));
    } else {
        for finding in &findings {
            context.print(format!("{}\n", finding.text));
        }
    }
    Ok(if findings.is_empty() { Exit::Fine } else { Exit::BadInput })
}

/// Where a finding is: file, line and column.
fn place(set: &PlanSet, finding: &Finding) -> Value {
    let place = finding.location.and_then(|location| set.sources().position(location));
    place.map_or(Value::Null, |(file, at)| json!({ "file": file, "line": at.line, "column": at.column }))
}

fn build(
    context: &mut Context,
    template: &Path,
    out: &Path,
    overwrite: bool,
    with_matrix: bool,
) -> Result<Exit, Box<Failure>> {
    let source = files::read(context, template)?;
    let disk = PlanFiles::beside(template, context.limit("input-bytes"));
    let built = probe::build_plan(source.text(), &disk, with_matrix).map_err(failure)?;
    let taken = built.iter().map(|(name, _)| out.join(name)).find(|path| path.exists());
    if let Some(path) = taken.filter(|_| !overwrite) {
        return Err(Failure::new(Exit::CannotCreate, CODE_EXISTS, format!("{}: exists already", path.display()))
            .with_help("--overwrite replaces files that are there"));
    }
    for (name, text) in &built {
        let path = out.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| {
                let message = format!("{}: {}", folder.display(), files::describe(&error));
                Failure::new(Exit::CannotCreate, files::CODE_WRITE, message)
            })?;
        }
        files::write_atomically(context, &path, text.as_bytes(), &[template])?;
    }
    let paths: Vec<_> = built.iter().map(|(name, _)| out.join(name).display().to_string()).collect();
    if context.json {
        context.print_json(&json!({ "files": paths }));
    } else {
        context.print(paths.join("\n") + "\n");
    }
    Ok(Exit::Fine)
}

fn list(context: &mut Context, plan: Option<PathBuf>) -> Result<Exit, Box<Failure>> {
    let (set, _) = load(context, plan)?;
    if context.json {
        context.print_json(&json!({
            "plan_id": set.plan.plan_id,
            "plan_digest": set.plan.digest(),
            "registry_id": set.plan.registry_id,
            "expected_matrix": set.expected,
        }));
        return Ok(Exit::Fine);
    }
    context.print(format!("plan {} (registry {})\n", set.plan.plan_id, set.plan.registry_id));
    for (id, profile) in &set.expected.profiles {
        let block = profile.expected_block.map(|stage| format!("  blocked at {}", stage.name())).unwrap_or_default();
        context.print(format!("{id}  {}{block}\n", profile.blob));
        for probe in &profile.probes {
            context.print(format!("  {:5}  {}  {}\n", probe.expected.name(), probe.operation, probe.target));
        }
    }
    Ok(Exit::Fine)
}
