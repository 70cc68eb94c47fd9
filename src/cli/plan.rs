//! `sbpl plan`: plans before they are run.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use super::context::Context;
use super::exit::{Exit, Failure};
use super::run::{PlanFiles, exit_of, failure};
use super::{derived, files};
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
    /// Make plan.json and its registries of a template, a profile or a compiled profile.
    #[command(group(clap::ArgGroup::new("source").required(true).args(["template", "from"])))]
    Build {
        /// Template: a file, or the name of a built-in one.
        #[arg(long, value_name = "NAME|FILE")]
        template: Option<PathBuf>,
        /// Profile or compiled profile: probes for what its rules name, with what the decision engine says of them.
        #[arg(long, value_name = "PROFILE|BLOB")]
        from: Option<PathBuf>,
        /// A compiled profile that came with the system, to compare with --from: the plan runs the text, the blob that it compiles to, and this one.
        #[arg(long, value_name = "BLOB", requires = "from")]
        shipped: Option<PathBuf>,
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
    /// List the built-in templates.
    Templates,
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
            Verb::Build { template, from, shipped, out, overwrite, write_expected_matrix } => {
                let (built, inputs) = match (template, from) {
                    (Some(template), _) => (of_template(context, &template, write_expected_matrix)?, vec![template]),
                    (None, from) => {
                        let from = from.unwrap_or_default();
                        let built = derived::plan_of(context, &from, shipped.as_deref(), write_expected_matrix)?;
                        (built, [from].into_iter().chain(shipped).collect())
                    }
                };
                write(context, built, &inputs, &out, overwrite)
            }
            Verb::Templates => templates(context),
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
            let place = finding.location.and_then(|location| set.sources().position(location));
            context.print(match place {
                Some((file, at)) => format!("{file}:{}:{}: {}\n", at.line, at.column, finding.text),
                None => format!("{}\n", finding.text),
            });
        }
    }
    Ok(if findings.is_empty() { Exit::Fine } else { Exit::BadInput })
}

/// Where a finding is: file, line and column.
fn place(set: &PlanSet, finding: &Finding) -> Value {
    let place = finding.location.and_then(|location| set.sources().position(location));
    place.map_or(Value::Null, |(file, at)| json!({ "file": file, "line": at.line, "column": at.column }))
}

/// The files of a plan, by path below its folder.
pub(super) type PlanTexts = Vec<(String, Vec<u8>)>;

fn of_template(context: &Context, template: &Path, with_matrix: bool) -> Result<PlanTexts, Box<Failure>> {
    let built_in = template.to_str().and_then(probe::template::named).filter(|_| !template.exists());
    let built = match built_in {
        Some(built_in) => probe::build_value(&built_in.to_json(), with_matrix),
        None => {
            let source = files::read(context, template)?;
            let disk = PlanFiles::beside(template, context.limit("input-bytes"));
            probe::build_plan(source.text(), &disk, with_matrix)
        }
    };
    let built = built.map_err(failure)?;
    Ok(built.into_iter().map(|(name, text)| (name, text.into_bytes())).collect())
}

fn templates(context: &mut Context) -> Result<Exit, Box<Failure>> {
    let all = probe::template::templates();
    if context.json {
        let row = |template: &probe::template::Template| {
            json!({
                "template_id": template.id,
                "description": template.description,
                "needs_a_mac": template.needs_a_mac(),
            })
        };
        context.print_json(&all.iter().map(row).collect::<Vec<_>>());
        return Ok(Exit::Fine);
    }
    for template in all {
        context.print(format!("{:22}  {}\n", template.id, template.description));
    }
    Ok(Exit::Fine)
}

fn write(
    context: &mut Context,
    built: PlanTexts,
    inputs: &[PathBuf],
    out: &Path,
    overwrite: bool,
) -> Result<Exit, Box<Failure>> {
    let inputs: Vec<&Path> = inputs.iter().map(PathBuf::as_path).collect();
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
        files::write_atomically(context, &path, text, &inputs)?;
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
