//! `sbpl plan build --from`: a plan made of a profile or a compiled profile.

use std::path::Path;
use std::sync::Arc;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::plan::PlanTexts;
use super::run::failure;
use super::side::{self, Side};
use super::{blob_file, files, input};
use crate::blob::{Blob, Options, Roots};
use crate::diag::{Code, Source};
use crate::probe;
use crate::sandbox::{ProfileInput, Rules};
use crate::shim;

pub(super) const CODE_DERIVE: Code = Code("E0726");

/// The files of the plan for the profile at `path`, the profile itself among them. With `shipped`, the blob at that path and the one
/// that the profile compiles to are part of the plan.
pub(super) fn plan_of(
    context: &mut Context,
    path: &Path,
    shipped: Option<&Path>,
    with_matrix: bool,
) -> Result<PlanTexts, Box<Failure>> {
    let source = files::read(context, path)?;
    let bytes = source.shared_text();
    let stem = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = stem.trim_end_matches(".bin").trim_end_matches(".sb");
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let id: String = stem.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    let id = if id.trim_matches('.').is_empty() { "profile".to_owned() } else { id };
    let side = side::of_source(context, path, source)?;
    let rules = |side| match side {
        Side::Profile(evaluation) => Rules::Policy(Arc::new(evaluation.policy)),
        Side::Blob(program) => Rules::Blob(Arc::from(program)),
    };
    if let Side::Blob(program) = &side
        && let Roots::Collection { profiles, .. } = &program.roots
    {
        let message =
            format!("{}: a plan is made of one profile, this is a collection of {}", path.display(), profiles.len());
        return Err(Failure::new(Exit::BadInput, CODE_DERIVE, message));
    }
    let is_blob = matches!(side, Side::Blob(_));
    let own = ProfileInput { bytes: Arc::clone(&bytes), rules: rules(side) };
    let shimmed = if is_blob { None } else { shimmed(context, path, &bytes)? };
    let file = format!("sb/{id}.{}", if is_blob { "sb.bin" } else { "sb" });
    let mut derived = probe::derive(&id, &file, &own, shimmed.as_ref()).map_err(|failed| {
        Failure::new(Exit::BadInput, CODE_DERIVE, format!("{}: {}", path.display(), failed.message))
    })?;
    let shipped = shipped.map(|path| compared(context, path, is_blob)).transpose()?;
    let shipped = shipped.map(|bytes| (format!("sb/{id}.shipped.sb.bin"), bytes));
    if let Some((file, _)) = &shipped {
        derived.compare_with(&id, file);
    }
    for (count, why) in [
        (derived.shimmed, "the base shim changes their answer"),
        (derived.undecided, "the decision engine does not decide them for a plain process"),
    ] {
        if count > 0 {
            context.tell(format!("{count} probes left out: {why}"));
        }
    }
    let built = probe::build_value(&derived.template, with_matrix).map_err(failure)?;
    let mut texts: PlanTexts = built.into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
    texts.push((file, bytes.to_vec()));
    texts.extend(shipped.map(|(file, bytes)| (file, bytes.to_vec())));
    Ok(texts)
}

/// The compiled profile at `path`, which a text is compared with.
fn compared(context: &mut Context, path: &Path, is_blob: bool) -> Result<Arc<[u8]>, Box<Failure>> {
    if is_blob {
        let message = "--shipped compares a profile with a compiled one: --from has to be SBPL";
        return Err(Failure::new(Exit::Usage, CODE_DERIVE, message));
    }
    let source = files::read(context, path)?;
    match Blob::parse(source.text(), &Options::default()).and_then(|blob| blob.program()) {
        Ok(program) => side::profile_of(path, &program, None, "--profile").map(|_| source.shared_text()),
        Err(error) => Err(blob_file::failure(path, (&error).into())),
    }
}

/// The profile as a run puts it in force.
fn shimmed(context: &mut Context, path: &Path, text: &[u8]) -> Result<Option<ProfileInput>, Box<Failure>> {
    let Some(base) = shim::built_in("runtime-base") else { return Ok(None) };
    let Ok(applied) = shim::apply(base, text, None) else { return Ok(None) };
    let source = Source::new(path.display().to_string(), applied.text.clone());
    let evaluation = input::evaluate(context, source)?;
    Ok(Some(ProfileInput { bytes: applied.text.into(), rules: Rules::Policy(Arc::new(evaluation.policy)) }))
}
