//! Blobs to text and back: every recorded blob, and the large profiles of other systems.

use std::path::{Path, PathBuf};
use std::time::Instant;

use libtest_mimic::{Failed, Trial};
use sbpl::blob::{Blob, Options, Program, Roots};
use sbpl::compile::decompile::{Choices, Outcome, decompile, verify};
use sbpl::decide::Budget;
use sbpl::diff::semantic::{Change, Comparison, Side};
use sbpl::vocab::{self, Target};
use serde_json::Value;

use crate::counts;
use crate::faithful::invented;

pub(crate) fn trials(shared: PathBuf) -> Vec<Trial> {
    let golden_folder = shared.join("golden/macos-14.4");
    let mut trials = vec![Trial::test("decompile::golden", move || golden(&golden_folder))];
    for file in BLOBS {
        let path = shared.join("golden/blobs").join(file);
        let share = Share::of(file);
        trials.push(Trial::test(format!("decompile::{file}"), move || whole(&path, &share)));
    }
    trials
}

/// The whole compiled profiles of other systems.
const BLOBS: [&str; 5] = [
    "ios-13-collection.bin",
    "ios-17-platform.bin",
    "ios-17-collection.bin",
    "macos-15.2-platform.bin",
    "ios-26-platform.bin",
];

/// How the draft says that no text can say the rules of an operation: in SBPL its name means another one.
const NO_NAME: &str = "sysctl-write: this name means sysctl*";

/// Which profiles of a file are asked about: one in so many.
struct Share {
    /// Said as text.
    said: usize,
    /// Of these, compiled again and compared; `None`: none.
    compared: Option<usize>,
}

impl Share {
    /// All in an optimised build; else what takes seconds.
    fn of(file: &str) -> Self {
        match (file, cfg!(debug_assertions)) {
            ("ios-13-collection.bin", true) => Self { said: 6, compared: Some(60) },
            (_, false) => Self { said: 1, compared: Some(1) },
            ("ios-17-collection.bin", true) => Self { said: 1, compared: Some(48) },
            (_, true) => Self { said: 1, compared: None },
        }
    }
}

/// Compares what the texts of some profiles of one file compile to with the programs that they were made of.
#[derive(Default)]
struct Compared {
    profiles: usize,
    compile: usize,
    identical: usize,
    operations: usize,
    graphs: usize,
    decisions: usize,
    undecided: usize,
}

fn read(path: &Path) -> Result<Vec<u8>, Failed> {
    Ok(std::fs::read(path)?)
}

fn golden(folder: &Path) -> Result<(), Failed> {
    let manifest: Value = serde_json::from_slice(&read(&folder.join("manifest.json"))?)?;
    let (mut identical, mut total) = (0, 0);
    for case in manifest["cases"].as_array().into_iter().flatten() {
        let (Some(name), Some(hex)) = (case["name"].as_str(), case["hex"].as_str()) else { continue };
        total += 1;
        let digits = String::from_utf8(read(&folder.join(hex))?)?;
        let bytes: Vec<u8> = (0..digits.trim().len() / 2)
            .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16))
            .collect::<Result<_, _>>()?;
        let program = Blob::parse(&bytes, &Options::default())?.program()?;
        let verified = verify(&program, 0, Some(&bytes), vocab::default_target())?;
        match verified.outcome {
            Outcome::Identical if verified.draft.lost.is_empty() && invented(&program, &verified).is_none() => {
                identical += 1
            }
            outcome => {
                println!("{name}: {outcome:?}\n{}", String::from_utf8_lossy(&verified.draft.text));
            }
        }
    }
    counts::check("decompile: recorded blobs that come back to their bytes", identical, total)
}

/// The names of the profiles; one that is no collection has none.
fn profiles(program: &Program) -> Vec<Option<String>> {
    match &program.roots {
        Roots::Single(_) => vec![None],
        Roots::Collection { profiles, .. } => {
            profiles.iter().map(|profile| Some(String::from_utf8_lossy(&profile.name).into_owned())).collect()
        }
    }
}

/// Profiles of another system: how many can be said without anything left out, and for how many operations what is said compiles to
/// the same program, and to the same decisions.
fn whole(path: &Path, share: &Share) -> Result<(), Failed> {
    let bytes = read(path)?;
    let blob = Blob::parse(&bytes, &Options::default())?;
    let target = vocab::target(blob.header().generation.target())?;
    let program = blob.program()?;
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let profiles = profiles(&program);
    let count = |every: usize, what: &str, right, total| {
        let part = if every == 1 { String::new() } else { format!(", one in {every}") };
        counts::check(&format!("decompile {name}: {what}{part}"), right, total)
    };
    let started = Instant::now();
    let (mut said, mut said_but, mut asked) = (0, 0, 0);
    for number in (0..profiles.len()).step_by(share.said) {
        asked += 1;
        let draft = decompile(&program, number, target, &Choices::default())?;
        said += usize::from(draft.lost.is_empty());
        said_but += usize::from(draft.lost.iter().all(|lost| lost.starts_with(NO_NAME)));
        if !draft.lost.is_empty() {
            println!("{number}: not said: {:?}", draft.lost);
        }
    }
    println!("{name}: {asked} profiles decompiled in {:?}", started.elapsed());
    count(share.said, "profiles said completely", said, asked)?;
    count(share.said, "profiles said completely but for rules of sysctl-write", said_but, asked)?;
    let Some(every) = share.compared else { return Ok(()) };
    let started = Instant::now();
    let mut compared = Compared::default();
    for (number, profile) in profiles.iter().enumerate().step_by(every) {
        compared.profile(&program, number, profile.as_deref(), &bytes, target)?;
    }
    let Compared { profiles, compile, identical, operations, graphs, decisions, undecided } = compared;
    println!("{name}: {profiles} profiles compiled again and compared in {:?}", started.elapsed());
    println!("{name}: {undecided} operations undecided, {identical} profiles with the same bytes");
    [
        count(every, "profiles that compile again", compile, profiles),
        count(every, "operations with the same graph", graphs, operations),
        count(every, "operations with the same decisions", decisions, operations),
    ]
    .into_iter()
    .collect()
}

impl Compared {
    fn profile(
        &mut self,
        program: &Program,
        number: usize,
        profile: Option<&str>,
        bytes: &[u8],
        target: &'static Target,
    ) -> Result<(), Failed> {
        let verified = verify(program, number, profile.is_none().then_some(bytes), target)?;
        self.profiles += 1;
        self.operations += target.op_table_len();
        self.identical += usize::from(verified.outcome == Outcome::Identical);
        let different = match &verified.outcome {
            Outcome::Identical | Outcome::SamePrograms { .. } => Vec::new(),
            Outcome::Different { operations, .. } => operations.clone(),
            Outcome::Fails(message) => {
                println!("{number}: does not compile: {message}");
                return Ok(());
            }
        };
        self.compile += 1;
        self.graphs += target.op_table_len() - different.len();
        self.decisions += target.op_table_len() - different.len();
        let (Some(again), false) = (&verified.program, different.is_empty()) else { return Ok(()) };
        // Diagrams of this size are soon full, and gates decide.
        let budget = Budget { nodes: 1 << 17, ..Budget::default() };
        let mut comparison = Comparison::new(Side::Program(program, profile), Side::Program(again, None), budget)?;
        for (operation, change) in comparison.changes() {
            match change {
                _ if !different.contains(&operation) => {}
                Change::Equal => self.decisions += 1,
                change => {
                    self.undecided += usize::from(matches!(change, Change::Undecided(_)));
                    println!("{number}: {}: {change:?}", target.operation(operation).name);
                }
            }
        }
        Ok(())
    }
}
