//! Real processes under a profile. Where user notification works, none of these is skipped.

mod blobs;
mod calls;
mod child;
mod escapes;
mod files;
#[allow(unsafe_code)]
mod handed;
mod leftovers;
#[allow(unsafe_code)]
mod surroundings;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sbpl::diag::Source;
use sbpl::profile::{EvalOptions, NoImports, evaluate};
use sbpl::sandbox::judge::Judge;
use sbpl::sandbox::supervised::{Command, Denial, Ended, How, Mapping, Stdio, Supervisor, availability};
use sbpl::sandbox::{ProfileInput, Rules};

/// What a run came to.
struct Run {
    ended: Ended,
    denials: Vec<Denial>,
}

impl Run {
    fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.ended.stdout).into_owned()
    }

    fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.ended.stderr).into_owned()
    }

    fn status(&self) -> i32 {
        match self.ended.how {
            How::Exited(status) => status,
            other => panic!("{other:?}: {}", self.stderr()),
        }
    }

    /// Refused operations with what they were about, each once.
    fn denied(&self) -> Vec<(&str, &str)> {
        let mut denied: Vec<_> =
            self.denials.iter().map(|denial| (denial.operation.as_str(), denial.argument.as_str())).collect();
        denied.sort_unstable();
        denied.dedup();
        denied
    }
}

fn judge(text: &str) -> Judge {
    let text = format!("(version 1)\n{text}");
    let evaluated = evaluate(Source::new("t.sb", text.as_bytes()), &NoImports, &EvalOptions::default()).unwrap();
    let rules = Rules::Policy(Arc::new(evaluated.policy));
    Judge::of(&ProfileInput { bytes: text.into_bytes().into(), rules }).unwrap()
}

/// Runs a command under a profile that starts with `(version 1)`. Fails where processes cannot be supervised at all.
fn run(profile: &str, program: impl AsRef<Path>, args: &[&str]) -> Run {
    run_mapped(profile, Mapping::host(), program, args)
}

fn run_mapped(profile: &str, mapping: Mapping, program: impl AsRef<Path>, args: &[&str]) -> Run {
    let mut command = Command::new(program.as_ref());
    command.args = args.iter().map(Into::into).collect();
    command.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
    run_command(profile, mapping, &command)
}

fn run_command(profile: &str, mapping: Mapping, command: &Command) -> Run {
    run_judged(judge(profile), mapping, command)
}

fn run_judged(judge: Judge, mapping: Mapping, command: &Command) -> Run {
    assert_eq!(availability(), Ok(()), "user notification must work where these tests run");
    let mut command = command.clone();
    command.stdio = Stdio::Capture { limit: 1 << 20 };
    command.time_limit = command.time_limit.or(Some(Duration::from_secs(60)));
    let mut denials = Vec::new();
    let ended = Supervisor::new(judge, mapping).run(&command, &mut |denial| denials.push(denial.clone()));
    Run { ended: ended.unwrap(), denials }
}

/// A folder in `/tmp`, and what the model calls it.
struct Fixture {
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self { folder: tempfile::Builder::new().prefix("sbpl-supervised-").tempdir_in("/tmp").unwrap() }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// As the process spells it.
    fn host(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// As profiles spell it.
    fn model(&self, name: &str) -> String {
        format!("/private{}", self.host(name))
    }
}
