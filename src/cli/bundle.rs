//! `sbpl bundle`: run bundles after they were written.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Subcommand;
use serde_json::json;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::files;
use super::run::failure;
use crate::probe::{self, ProbeError, bundle, tag};

/// Check, repair, promote and list run bundles. A bundle is its folder, or the folder that holds LATEST.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check that a bundle is complete and that every digest is right; exit status 65 when not.
    Validate {
        /// The bundle.
        #[arg(default_value = "out")]
        bundle: PathBuf,
    },
    /// Compare the index with the files, or make it again.
    Reindex {
        /// The bundle.
        #[arg(default_value = "out")]
        bundle: PathBuf,
        /// Only compare; exit status 65 when something differs. This is the default.
        #[arg(long, conflicts_with = "repair")]
        strict: bool,
        /// Write the index again and say in repair_log.json what was wrong.
        #[arg(long)]
        repair: bool,
    },
    /// Write the packet that says whether the decisions may be used as evidence.
    Promote {
        /// The bundle.
        #[arg(default_value = "out")]
        bundle: PathBuf,
        /// Where to write the packet; standard output without it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Exit status 1 when the bundle is not promotable.
        #[arg(long)]
        require_promotable: bool,
    },
    /// List the bundles of an output folder.
    Status {
        /// The folder that holds LATEST.
        #[arg(default_value = "out")]
        root: PathBuf,
    },
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        match self.verb {
            Verb::Validate { bundle } => validate(context, &bundle),
            Verb::Reindex { bundle, strict: _, repair } => reindex(context, &bundle, repair),
            Verb::Promote { bundle, out, require_promotable } => promote(context, &bundle, out, require_promotable),
            Verb::Status { root } => status(context, &root),
        }
    }
}

fn validate(context: &mut Context, path: &Path) -> Result<Exit, Box<Failure>> {
    let folder = bundle::locate(path).map_err(failure)?;
    let check = bundle::check(&folder).map_err(failure)?;
    let good = check.problems.is_empty();
    if context.json {
        context.print_json(&check);
    } else if good {
        let count = check.index.as_ref().map_or(0, |index| index.artifacts.len());
        context.print(format!("{}: complete, {count} files verified\n", check.bundle_dir));
    }
    if good {
        return Ok(Exit::Fine);
    }
    if context.json {
        return Ok(Exit::BadInput);
    }
    Err(failure(ProbeError::RefusedBundle { path: check.bundle_dir, reasons: check.problems }))
}

fn reindex(context: &mut Context, path: &Path, repair: bool) -> Result<Exit, Box<Failure>> {
    let folder = bundle::locate(path).map_err(failure)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let done = bundle::reindex(&folder, repair, now).map_err(failure)?;
    let faults = &done.log.before;
    if context.json {
        context.print_json(&done.log);
    } else {
        for (what, names) in [("missing", &faults.missing), ("digest mismatch", &faults.digest_mismatches)] {
            for name in names {
                context.print(format!("{what}: {name}\n"));
            }
        }
        let end = if done.written { "index written" } else { "index compared" };
        context.print(format!("{}: {end}\n", done.log.bundle_dir));
    }
    let clean = faults.missing.is_empty() && faults.digest_mismatches.is_empty();
    Ok(if clean || done.written { Exit::Fine } else { Exit::BadInput })
}

fn promote(
    context: &mut Context,
    path: &Path,
    out: Option<PathBuf>,
    require_promotable: bool,
) -> Result<Exit, Box<Failure>> {
    let folder = bundle::locate(path).map_err(failure)?;
    let packet = probe::promotion_packet(&folder).map_err(failure)?;
    let promotable = packet.promotability.promotable_decision_stage;
    match out {
        Some(out) => {
            let text = serde_json::to_string_pretty(&packet).unwrap_or_default() + "\n";
            files::write_atomically(context, &out, text.as_bytes(), &[])?;
            if !promotable {
                context.tell(format!("not promotable: {}", packet.promotability.reasons.join(", ")));
            }
        }
        None => context.print_json(&packet),
    }
    Ok(if promotable || !require_promotable { Exit::Fine } else { Exit::No })
}

fn status(context: &mut Context, root: &Path) -> Result<Exit, Box<Failure>> {
    let listing = bundle::list(root).map_err(failure)?;
    if context.json {
        context.print_json(&json!({
            "schema_version": tag::STATUS,
            "output_root": root.display().to_string(),
            "latest": listing.latest,
            "locked_by": listing.locked_by,
            "bundles": listing.bundles,
        }));
        return Ok(Exit::Fine);
    }
    for row in &listing.bundles {
        let mark = if Some(&row.run_id) == listing.latest.as_ref() { "*" } else { " " };
        let state = if row.verified { row.status.as_deref().unwrap_or("unknown") } else { "refused" };
        context.print(
            format!("{mark} {}  {state}  {}\n", row.run_id, row.problems.join("; ")).trim_end().to_owned() + "\n",
        );
    }
    if listing.bundles.is_empty() {
        context.print(format!("{}: no bundles\n", root.display()));
    }
    Ok(Exit::Fine)
}
