//! What the linter says about shipped profiles. The counts are the table of `docs/lint-measurements.md`; `BLESS=1` rewrites it.
//! `SBPL_LINT_SHOW=SBPL003,SBPL011` prints the findings of these rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use sbpl::diag::{Source, SourceId};
use sbpl::lint::{Config, Input, Parameters, RULES, lint};
use sbpl::syntax::{SyntaxLimits, parse};
use sbpl::vocab;

/// The corpora and the systems that they are meant for.
const CORPORA: [(&str, &str); 2] = [("modern", "macos-14.4"), ("macos-10.15", "macos-10.15")];

const START: &str = "<!-- counts: written by the test `lint`, BLESS=1 -->\n";
const END: &str = "<!-- end of counts -->";

pub(crate) fn trials(folder: PathBuf) -> Vec<Trial> {
    vec![Trial::test("lint counts", move || counts(&folder))]
}

/// Findings and files by code.
type Counts = BTreeMap<&'static str, (usize, usize)>;

fn counts(folder: &Path) -> Result<(), Failed> {
    let [modern, old] = CORPORA.map(|(corpus, target)| measure(&folder.join("corpus").join(corpus), target));
    let (modern, old) = (modern?, old?);
    let mut table = String::from(START);
    let _ = writeln!(table, "| rule | default | modern: findings | files | 10.15: findings | files |");
    let _ = writeln!(table, "| --- | --- | ---: | ---: | ---: | ---: |");
    let mut sums = [0; 2];
    for rule in RULES {
        let [new, old] = [&modern, &old].map(|counts| counts.get(rule.code.0).copied().unwrap_or_default());
        if rule.default {
            sums = [sums[0] + new.0, sums[1] + old.0];
        }
        let default = if rule.default { "on" } else { "off" };
        let (code, name) = (rule.code, rule.name);
        let _ = writeln!(table, "| {code} `{name}` | {default} | {} | {} | {} | {} |", new.0, new.1, old.0, old.1);
    }
    let _ = writeln!(table, "| **default set** | | **{}** | | **{}** | |", sums[0], sums[1]);
    print!("{table}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/lint-measurements.md");
    let document = fs::read_to_string(&path)?;
    let (head, rest) = document.split_once(START).ok_or("the document has no table")?;
    let (_, tail) = rest.split_once(END).ok_or("the table has no end")?;
    let expected = format!("{head}{table}{END}{tail}");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, expected)?;
    } else if expected != document {
        return Err("docs/lint-measurements.md tells other counts; BLESS=1 rewrites them".into());
    }
    Ok(())
}

fn measure(folder: &Path, target: &str) -> Result<Counts, Failed> {
    let target = vocab::target(target)?;
    let mut all = Config::default();
    all.select(["all"])?;
    let show = std::env::var("SBPL_LINT_SHOW").unwrap_or_default();
    let mut files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, Failed>>()?;
    files.retain(|path| path.to_string_lossy().contains(".sb"));
    files.sort();
    let mut counts = Counts::new();
    for path in &files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let source = Source::new(name, fs::read(path)?);
        let parsed = parse(source.shared_text(), &SyntaxLimits::default());
        let input =
            Input { tree: &parsed.tree, source: SourceId(0), target, parameters: &Parameters::new(), policy: None };
        let mut seen = BTreeSet::new();
        for finding in lint(input, &all) {
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
    Ok(counts)
}
