//! The clean channel: a worker that launchd starts, so that no process above it has a profile, in a folder that nobody guards
//! (`spec/probe-runner.md` section 2.8).
//!
//! A [`Stage`] is a private copy of the plan and of the program below a temporary folder; a [`Job`] is what launchd is told. Both
//! are plain values. [`run`] hands the job to `launchctl` and waits for the status that the worker leaves.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{io, thread};

use super::spawn::{self, MAX_OUTPUT};
use crate::sandbox::Cancel;

/// Where stages are made. Folders of the user may be guarded, this one is not.
pub const STAGES: &str = "/private/tmp/sbpl-launchctl";
/// The tool that talks to launchd.
pub const LAUNCHCTL: &str = "/bin/launchctl";

/// How long `launchctl` itself may take.
const TOOL_LIMIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);
/// Bounds of what is copied.
const MAX_FILES: usize = 20_000;
const MAX_BYTES: u64 = 1 << 30;
/// Leaves the exit status of a command in a file that appears whole.
const SCRIPT: &str = "\"$@\"; echo $? > \"$0.new\"; mv \"$0.new\" \"$0\"";

/// Why a clean run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A file of the stage.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// The plan's folder holds more than a plan does.
    #[error("{0}: more than {MAX_FILES} files or {MAX_BYTES} bytes; put the plan in a folder of its own")]
    TooMuch(PathBuf),
    /// `launchctl` did not take the job.
    #[error("launchctl: {0}")]
    Refused(String),
    /// The worker left no status.
    #[error("the worker did not end within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The run was told to end.
    #[error("interrupted")]
    Cancelled,
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> LaunchError + '_ {
    move |error| LaunchError::File { path: path.to_owned(), error }
}

/// A private copy of what a worker needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Everything is below it.
    pub root: PathBuf,
    /// The copy of the program.
    pub program: PathBuf,
    /// The copy of the plan's folder.
    pub plan: PathBuf,
    /// Where the worker puts bundles.
    pub out: PathBuf,
}

impl Stage {
    /// Copies `program` and the folder of a plan below `root`, which must not exist.
    ///
    /// # Errors
    /// [`LaunchError::File`], [`LaunchError::TooMuch`].
    pub fn make(root: &Path, program: &Path, plan: &Path) -> Result<Self, LaunchError> {
        if let Some(parent) = root.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(at(parent))?;
        }
        DirBuilder::new().mode(0o700).create(root).map_err(at(root))?;
        let stage =
            Self { root: root.to_owned(), program: root.join("sbpl"), plan: root.join("plan"), out: root.join("out") };
        fs::copy(program, &stage.program).map_err(at(program))?;
        fs::set_permissions(&stage.program, fs::Permissions::from_mode(0o755)).map_err(at(&stage.program))?;
        copy_tree(plan, &stage.plan, root)?;
        Ok(stage)
    }

    /// The file that the worker's exit status appears in.
    pub fn status(&self) -> PathBuf {
        self.root.join("status")
    }

    /// Removes it.
    ///
    /// # Errors
    /// [`LaunchError::File`].
    pub fn remove(self) -> Result<(), LaunchError> {
        fs::remove_dir_all(&self.root).map_err(at(&self.root))
    }
}

/// Copies folders and regular files; links and everything else stay behind. `except` is not copied into itself.
pub fn copy_tree(from: &Path, to: &Path, except: &Path) -> Result<(), LaunchError> {
    let (mut files, mut bytes) = (0, 0);
    let mut folders = vec![(from.to_owned(), to.to_owned())];
    while let Some((from_folder, to_folder)) = folders.pop() {
        fs::create_dir_all(&to_folder).map_err(at(&to_folder))?;
        for entry in fs::read_dir(&from_folder).map_err(at(&from_folder))? {
            let entry = entry.map_err(at(&from_folder))?;
            let (source, target) = (entry.path(), to_folder.join(entry.file_name()));
            let data = entry.metadata().map_err(at(&source))?;
            if data.is_dir() {
                if source != except {
                    folders.push((source, target));
                }
                continue;
            }
            if !data.is_file() {
                continue;
            }
            files += 1;
            bytes += data.len();
            if files > MAX_FILES || bytes > MAX_BYTES {
                return Err(LaunchError::TooMuch(from.to_owned()));
            }
            fs::copy(&source, &target).map_err(at(&source))?;
        }
    }
    Ok(())
}

/// What launchd is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name, one for each run.
    pub label: String,
    /// Program and arguments.
    pub arguments: Vec<String>,
    /// Where it runs.
    pub folder: PathBuf,
    /// Where its streams go.
    pub stdout: PathBuf,
    /// Where its streams go.
    pub stderr: PathBuf,
}

impl Job {
    /// The job that runs `arguments` of the staged program once.
    pub fn of(stage: &Stage, id: &str, arguments: &[String]) -> Self {
        let shell = ["/bin/sh".to_owned(), "-c".to_owned(), SCRIPT.to_owned(), stage.status().display().to_string()];
        let program = stage.program.display().to_string();
        Self {
            label: format!("org.sbpl.run.{id}"),
            arguments: shell.into_iter().chain([program]).chain(arguments.iter().cloned()).collect(),
            folder: stage.root.clone(),
            stdout: stage.root.join("stdout"),
            stderr: stage.root.join("stderr"),
        }
    }

    /// The property list, as XML.
    pub fn plist(&self) -> String {
        let string = |text: &str| format!("<string>{}</string>", escape(text));
        let path = |path: &Path| string(&path.display().to_string());
        let arguments: String = self.arguments.iter().map(|word| format!("    {}\n", string(word))).collect();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
             <plist version=\"1.0\">\n<dict>\n\
             \x20 <key>Label</key>\n  {}\n\
             \x20 <key>ProgramArguments</key>\n  <array>\n{arguments}  </array>\n\
             \x20 <key>WorkingDirectory</key>\n  {}\n\
             \x20 <key>StandardOutPath</key>\n  {}\n\
             \x20 <key>StandardErrorPath</key>\n  {}\n\
             \x20 <key>RunAtLoad</key>\n  <true/>\n\
             \x20 <key>ProcessType</key>\n  <string>Interactive</string>\n\
             </dict>\n</plist>\n",
            string(&self.label),
            path(&self.folder),
            path(&self.stdout),
            path(&self.stderr),
        )
    }
}

/// Text of an XML element. Control characters other than line ends cannot stand in XML and are left out.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            character if character.is_control() && !matches!(character, '\n' | '\t') => {}
            character => out.push(character),
        }
    }
    out
}

/// How a worker ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Its exit status.
    pub status: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

/// Hands `job` to launchd in the domain of user `uid`, waits at most `limit` for the status, and takes the job out again; sooner
/// when `cancel` says so.
///
/// # Errors
/// [`LaunchError`]; the job is taken out in every case.
pub fn run(
    launchctl: &Path,
    uid: u32,
    stage: &Stage,
    job: &Job,
    limit: Duration,
    cancel: &Cancel,
) -> Result<Worker, LaunchError> {
    let plist = stage.root.join("job.plist");
    fs::write(&plist, job.plist()).map_err(at(&plist))?;
    let domain = format!("gui/{uid}");
    let tool = |arguments: &[&std::ffi::OsStr]| -> Result<(), LaunchError> {
        let ended = spawn::run(Command::new(launchctl).args(arguments), TOOL_LIMIT, &Cancel::never(), MAX_OUTPUT);
        match ended {
            Ok(ended) if ended.code == Some(0) => Ok(()),
            Ok(ended) => Err(LaunchError::Refused(format!(
                "{} ended with {}: {}",
                arguments.first().map_or("", |word| word.to_str().unwrap_or_default()),
                ended.code.map_or("a time-out".to_owned(), |code| code.to_string()),
                ended.stderr.trim()
            ))),
            Err(error) => Err(LaunchError::Refused(error.to_string())),
        }
    };
    tool(&["bootstrap".as_ref(), domain.as_ref(), plist.as_ref()])?;
    let outcome = wait(stage, job, limit, cancel);
    let target = format!("{domain}/{}", job.label);
    // A job that ended may be gone already.
    drop(tool(&["bootout".as_ref(), target.as_ref()]));
    outcome
}

fn wait(stage: &Stage, job: &Job, limit: Duration, cancel: &Cancel) -> Result<Worker, LaunchError> {
    let start = Instant::now();
    loop {
        if let Some(status) = fs::read_to_string(stage.status()).ok().and_then(|text| text.trim().parse().ok()) {
            let text = |path: &Path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            return Ok(Worker {
                status,
                stdout: text(&job.stdout).unwrap_or_default(),
                stderr: text(&job.stderr).unwrap_or_default(),
            });
        }
        if start.elapsed() >= limit {
            return Err(LaunchError::Timeout(limit));
        }
        if cancel.is_set() {
            return Err(LaunchError::Cancelled);
        }
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(folder: &Path) -> Stage {
        let plan = folder.join("given");
        fs::create_dir_all(plan.join("registry")).unwrap();
        fs::write(plan.join("plan.json"), "{}").unwrap();
        fs::write(plan.join("registry/probes.json"), "{}").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", plan.join("link")).unwrap();
        Stage::make(&folder.join("stages/one"), Path::new("/bin/sh"), &plan).unwrap()
    }

    #[test]
    fn a_stage_is_a_private_copy_without_links() {
        let folder = tempfile::tempdir().unwrap();
        let stage = stage(folder.path());
        assert!(stage.plan.join("registry/probes.json").is_file());
        assert!(!stage.plan.join("link").exists());
        assert_eq!(fs::metadata(&stage.root).unwrap().permissions().mode() & 0o777, 0o700);
        // Never into a folder that is there.
        assert!(Stage::make(&stage.root, Path::new("/bin/sh"), folder.path()).is_err());
        let root = stage.root.clone();
        stage.remove().unwrap();
        assert!(!root.exists());
    }

    #[test]
    fn the_property_list_holds_every_word() {
        let folder = tempfile::tempdir().unwrap();
        let stage = stage(folder.path());
        let job = Job::of(&stage, "id", &["run".to_owned(), "a & <b>\u{1}".to_owned()]);
        let text = job.plist();
        assert!(text.contains("<string>a &amp; &lt;b&gt;</string>"), "{text}");
        assert!(text.contains("<key>Label</key>\n  <string>org.sbpl.run.id</string>"), "{text}");
        assert_eq!(text.matches("<string>").count(), text.matches("</string>").count());
        assert_eq!(text.matches("<key>").count(), 7);
    }

    /// A launchctl that runs the job, one that refuses it, one that never runs it.
    #[test]
    fn the_worker_leaves_a_status_or_the_run_says_why_not() {
        let folder = tempfile::tempdir().unwrap();
        let stage = stage(folder.path());
        let tool = |script: &str| {
            let path = folder.path().join("launchctl");
            // By another process: a child that another test forks meanwhile would hold the file open for writing here.
            let write = "printf '#!/bin/sh\n%s\n' \"$1\" > \"$0\"; chmod 755 \"$0\"";
            let made = Command::new("/bin/sh").args(["-c", write]).arg(&path).arg(script).status();
            assert!(made.unwrap().success());
            path
        };
        let job = Job::of(&stage, "id", &["-c".to_owned(), "exit 3".to_owned()]);
        let short = Duration::from_millis(200);
        let refuses = tool("echo 'Bootstrap failed: 5' >&2; exit 5");
        let error = run(&refuses, 501, &stage, &job, short, &Cancel::never()).unwrap_err();
        assert_eq!(error.to_string(), "launchctl: bootstrap ended with 5: Bootstrap failed: 5");
        assert!(matches!(
            run(&tool("exit 0"), 501, &stage, &job, short, &Cancel::never()),
            Err(LaunchError::Timeout(_))
        ));
        let status = stage.status();
        let runs = tool(&format!(
            "case \"$1\" in bootstrap) echo out > '{}'; {} -c 'exit 3'; echo $? > '{}';; esac",
            job.stdout.display(),
            stage.program.display(),
            status.display()
        ));
        let worker = run(&runs, 501, &stage, &job, Duration::from_secs(10), &Cancel::never()).unwrap();
        assert_eq!((worker.status, worker.stdout.as_str()), (3, "out\n"));
    }
}
