//! What the default set of the linter says about shipped profiles (`docs/lint-measurements.md`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};

use sbpl::diag::{Source, SourceId};
use sbpl::lint::{Config, Input, Parameters, RULES, lint};
use sbpl::syntax::{SyntaxLimits, parse};
use sbpl::vocab;

pub(crate) fn trials(folder: PathBuf) -> Vec<Trial> {
    [("modern", "macos-14.4"), ("macos-10.15", "macos-10.15")]
        .into_iter()
        .map(|(corpus, target)| {
            let folder = folder.join("corpus").join(corpus);
            Trial::test(format!("lint {corpus}"), move || measure(&folder, corpus, target))
        })
        .collect()
}

fn measure(folder: &Path, corpus: &str, target: &str) -> Result<(), Failed> {
    let target = vocab::target(target)?;
    let mut all = Config::default();
    all.select(["all"])?;
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut files: Vec<_> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.sort();
    files.retain(|path| path.to_string_lossy().contains(".sb"));
    let show = std::env::var("SBPL_LINT_SHOW").unwrap_or_default();
    for path in &files {
        let source =
            Source::new(path.file_name().unwrap_or_default().to_string_lossy().into_owned(), std::fs::read(path)?);
        let parsed = parse(source.shared_text(), &SyntaxLimits::default());
        let findings =
            lint(Input { tree: &parsed.tree, source: SourceId(0), target, parameters: &Parameters::new() }, &all);
        let mut seen = std::collections::BTreeSet::new();
        for finding in &findings {
            let entry = counts.entry(finding.rule.code.0).or_default();
            entry.0 += 1;
            entry.1 += usize::from(seen.insert(finding.rule.code));
            if show.split(',').any(|code| code == finding.rule.code.0) {
                let at = source.line_column(finding.span().start);
                let line = String::from_utf8_lossy(source.line(at.line)).trim().to_owned();
                println!("{}:{}: {}\n      {line}", source.name(), at.line, finding.diagnostic.message);
            }
        }
    }
    println!("{corpus}: {} files", files.len());
    for rule in RULES {
        let (findings, files) = counts.get(rule.code.0).copied().unwrap_or_default();
        let default = if rule.default { "on" } else { "off" };
        println!("| {} | {} | {default} | {findings} | {files} |", rule.code, rule.name);
    }
    Ok(())
}
