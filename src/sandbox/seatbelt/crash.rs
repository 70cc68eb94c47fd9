//! Crash reports of macOS (`.ips`): finding the one of a process that was killed, and reading why.
//!
//! A report is two JSON documents: a head on the first line, the body after it. It is written by another process some time after
//! the crash, or never; a crash without a report is still a crash.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value;

/// Largest report that is read, in bytes.
const MAX_REPORT: u64 = 16 << 20;
/// Most files of a folder that are looked at.
const MAX_FILES: usize = 4096;

/// What a report says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CrashReport {
    /// The file.
    pub path: PathBuf,
    /// The process.
    pub pid: u32,
    /// Its name.
    pub process: Option<String>,
    /// `EXC_CRASH` …
    pub exception: Option<String>,
    /// `SIGABRT` …
    pub signal: Option<String>,
    /// Who ended it: `DYLD`, `SIGNAL`, `SANDBOX` …
    pub namespace: Option<String>,
    /// Why, in words.
    pub indicator: Option<String>,
}

/// Reads a report; `None` when it is none, or says no process id.
pub(super) fn parse(path: &Path, text: &str) -> Option<CrashReport> {
    let (head, body) = text.split_once('\n')?;
    let head: Value = serde_json::from_str(head).ok()?;
    let body: Value = serde_json::from_str(body).ok()?;
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let (exception, termination) = (body.get("exception"), body.get("termination"));
    Some(CrashReport {
        path: path.to_owned(),
        pid: u32::try_from(body.get("pid")?.as_u64()?).ok()?,
        process: text(body.get("procName")).or_else(|| text(head.get("app_name"))),
        exception: text(exception.and_then(|exception| exception.get("type"))),
        signal: text(exception.and_then(|exception| exception.get("signal"))),
        namespace: text(termination.and_then(|termination| termination.get("namespace"))),
        indicator: text(termination.and_then(|termination| termination.get("indicator"))),
    })
}

impl CrashReport {
    /// True when the loader gave up: it could not read what the program needs.
    pub fn is_loader(&self) -> bool {
        let words = self.indicator.as_deref().unwrap_or_default().to_ascii_lowercase();
        self.namespace.as_deref() == Some("DYLD") || words.contains("dyld") || words.contains("library missing")
    }
}

/// The report of process `pid` in `folder` that was written since `since`.
pub(super) fn find(folder: &Path, pid: u32, since: SystemTime) -> Option<CrashReport> {
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok).take(MAX_FILES);
    let recent = entries.filter(|entry| {
        let is_report = entry.path().extension().is_some_and(|extension| extension == "ips");
        let fits = |data: fs::Metadata| data.len() <= MAX_REPORT && data.modified().is_ok_and(|at| at >= since);
        is_report && entry.metadata().is_ok_and(fits)
    });
    let reports = recent.filter_map(|entry| parse(&entry.path(), &fs::read_to_string(entry.path()).ok()?));
    reports.filter(|report| report.pid == pid).min_by(|a, b| a.path.cmp(&b.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shape of a report of macOS 14; names and numbers are made up.
    fn report(pid: u32) -> String {
        let head = r#"{"app_name":"cat","timestamp":"2026-01-01 00:00:00.00 +0000","bug_type":"309"}"#;
        let body = format!(
            r#"{{"procName":"cat","pid":{pid},"exception":{{"type":"EXC_CRASH","signal":"SIGABRT"}},"termination":{{"namespace":"DYLD","indicator":"Library missing"}}}}"#
        );
        format!("{head}\n{body}\n")
    }

    #[test]
    fn the_report_of_a_process_is_found_and_read() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cat-1.ips"), report(41)).unwrap();
        fs::write(folder.path().join("cat-2.ips"), report(42)).unwrap();
        fs::write(folder.path().join("cat-3.ips"), "{}\nno report").unwrap();
        fs::write(folder.path().join("cat-4.txt"), report(42)).unwrap();
        let found = find(folder.path(), 42, SystemTime::UNIX_EPOCH).unwrap();
        assert!(found.path.ends_with("cat-2.ips") && found.is_loader());
        assert_eq!((found.exception.as_deref(), found.signal.as_deref()), (Some("EXC_CRASH"), Some("SIGABRT")));
        assert_eq!(find(folder.path(), 43, SystemTime::UNIX_EPOCH), None);
        let later = SystemTime::now() + std::time::Duration::from_secs(60);
        assert_eq!(find(folder.path(), 42, later), None);
        assert_eq!(find(Path::new("/nowhere"), 42, SystemTime::UNIX_EPOCH), None);
    }
}
