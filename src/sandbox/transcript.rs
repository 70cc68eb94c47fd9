//! What probe programs say on standard error and standard output besides their work: markers, paths of descriptors, details
//! (`spec/probe-runner.md` sections 2.2 and 2.4). Writers and readers of these lines stand side by side.
//!
//! **Invariants:** what is written here is read back to the same value; a line that is none of ours stays where it is.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a line of standard output with details begins with.
const DETAILS: &str = "SBL_PROBE_DETAILS ";
/// Tools whose lines are markers.
const TOOLS: [&str; 5] = ["sbpl-preflight", "entitlement-check", "sbpl-compile", "sbpl-apply", "seatbelt-callout"];

/// A marker of the tool `sbpl-apply`, version 1. Keys without a value are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplyMarker {
    /// `sbpl-apply`.
    pub tool: String,
    /// 1.
    pub marker_schema_version: u32,
    /// `apply`, `applied`, or `exec` when that failed.
    pub stage: String,
    /// The process that wrote it.
    pub pid: u32,
    /// `sbpl` or `blob`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// The call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// 0, or -1 with `errno`.
    pub rc: i32,
    /// Error number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    /// The library's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errbuf: Option<String>,
    /// `ok`, `already_sandboxed`, `errno_eperm`, `errno_eacces`, `errno_other`, `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub err_class: Option<String>,
    /// How the class is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub err_class_source: Option<String>,
    /// The profile's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// What was to be executed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv0: Option<String>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl ApplyMarker {
    pub(super) fn new(stage: &str, pid: u32) -> Self {
        Self {
            tool: "sbpl-apply".to_owned(),
            marker_schema_version: 1,
            stage: stage.to_owned(),
            pid,
            mode: None,
            api: None,
            rc: 0,
            errno: None,
            errbuf: None,
            err_class: None,
            err_class_source: None,
            profile: None,
            argv0: None,
            extra: Map::new(),
        }
    }

    /// The call `api` was made and succeeded; a second marker of stage `applied` follows it.
    pub fn applied(stage: &str, api: &str, pid: u32) -> Self {
        Self { api: Some(api.to_owned()), ..Self::new(stage, pid) }
    }

    /// `argv0` could not be executed.
    pub fn exec_failed(argv0: &str, errno: i32, pid: u32) -> Self {
        Self { rc: -1, errno: Some(errno), argv0: Some(argv0.to_owned()), ..Self::new("exec", pid) }
    }

    /// The line, without its end.
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The class of a result of applying, and how it is known.
pub fn err_class(api: &str, rc: i32, errno: i32, errbuf: Option<&str>) -> (&'static str, &'static str) {
    let words = errbuf.unwrap_or_default().to_ascii_lowercase();
    if rc == 0 {
        return ("ok", "none");
    }
    if api.starts_with("sandbox_init") && words.contains("already") && words.contains("sandbox") {
        return ("already_sandboxed", "errbuf_regex");
    }
    match errno {
        1 => ("errno_eperm", "errno_only"),
        13 => ("errno_eacces", "errno_only"),
        0 if errbuf.is_some() => ("unknown", "errbuf_present"),
        0 => ("unknown", "none"),
        _ => ("errno_other", "errno_only"),
    }
}

/// The markers of `sbpl-apply` among the lines of `stderr`, in order.
pub fn apply_markers(stderr: &str) -> Vec<ApplyMarker> {
    let markers = stderr.lines().filter(|line| is_marker(line)).filter_map(|line| serde_json::from_str(line).ok());
    markers.filter(|marker: &ApplyMarker| marker.tool == "sbpl-apply").collect()
}

/// `stderr` without its markers.
pub fn strip_markers(stderr: &str) -> String {
    stderr.split_inclusive('\n').filter(|line| !is_marker(line.trim_end_matches('\n'))).collect()
}

fn is_marker(line: &str) -> bool {
    // Cheap first: almost no line begins so.
    line.starts_with('{')
        && serde_json::from_str::<Value>(line)
            .is_ok_and(|value| value.get("tool").and_then(Value::as_str).is_some_and(|tool| TOOLS.contains(&tool)))
}

/// What the system says about the path of an open descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FdPath {
    /// The path.
    Known(String),
    /// Asking failed with this error number.
    Failed(i32),
    /// There is no such question here.
    Unavailable,
}

impl FdPath {
    /// The line for `F_GETPATH` or `F_GETPATH_NOFIRMLINK`, without its end.
    pub fn line(&self, name: &str) -> String {
        match self {
            Self::Known(path) => format!("{name}:{path}"),
            Self::Failed(errno) => format!("{name}_ERROR:{errno}"),
            Self::Unavailable => format!("{name}_UNAVAILABLE"),
        }
    }

    /// Reads the first such line of `stderr`.
    pub fn find(stderr: &str, name: &str) -> Option<Self> {
        stderr.lines().find_map(|line| {
            let rest = line.strip_prefix(name)?;
            if let Some(path) = rest.strip_prefix(':') {
                return Some(Self::Known(path.to_owned()));
            }
            match rest.strip_prefix("_ERROR:") {
                Some(errno) => Some(Self::Failed(errno.parse().ok()?)),
                None => (rest == "_UNAVAILABLE").then_some(Self::Unavailable),
            }
        })
    }
}

/// A line of details for standard output, without its end.
pub fn details_line(details: &Value) -> String {
    format!("{DETAILS}{details}")
}

/// Takes the details out of `stdout`: what is left, and their value. A line that is no JSON gives
/// `{"error": "invalid_probe_details_json"}`; of several lines the last counts.
pub fn take_details(stdout: &str) -> (String, Option<Value>) {
    let (mut rest, mut details) = (String::new(), None);
    for line in stdout.split_inclusive('\n') {
        match line.strip_prefix(DETAILS) {
            Some(json) => {
                let invalid = || serde_json::json!({ "error": "invalid_probe_details_json" });
                details = Some(serde_json::from_str(json.trim_end()).unwrap_or_else(|_| invalid()));
            }
            None => rest.push_str(line),
        }
    }
    (rest, details)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn markers_come_back_and_are_taken_out() {
        let marker = ApplyMarker::exec_failed("/usr/bin/true", 1, 7);
        let stderr = format!("execvp: Operation not permitted\n{}\n{{\"tool\":\"other\"}}\nend", marker.line());
        assert_eq!(apply_markers(&stderr), [marker]);
        assert_eq!(strip_markers(&stderr), "execvp: Operation not permitted\n{\"tool\":\"other\"}\nend");
    }

    #[test]
    fn paths_of_descriptors_come_back() {
        for path in [FdPath::Known("/private/tmp/a:b".to_owned()), FdPath::Failed(9), FdPath::Unavailable] {
            let stderr = format!("x\n{}\n{}\n", path.line("F_GETPATH_NOFIRMLINK"), path.line("F_GETPATH"));
            assert_eq!(FdPath::find(&stderr, "F_GETPATH"), Some(path.clone()));
            assert_eq!(FdPath::find(&stderr, "F_GETPATH_NOFIRMLINK"), Some(path));
        }
        assert_eq!(FdPath::find("F_GETPATHS:/x\n", "F_GETPATH"), None);
    }

    #[test]
    fn details_are_taken_out() {
        let stdout = format!("a\n{}\nb", details_line(&json!({ "kr": 1100 })));
        assert_eq!(take_details(&stdout), ("a\nb".to_owned(), Some(json!({ "kr": 1100 }))));
        let (_, details) = take_details("SBL_PROBE_DETAILS {");
        assert_eq!(details, Some(json!({ "error": "invalid_probe_details_json" })));
    }

    #[test]
    fn classes_of_apply_results() {
        let class = |rc, errno, words| err_class("sandbox_init", rc, errno, words);
        assert_eq!(class(0, 0, None), ("ok", "none"));
        assert_eq!(class(-1, 1, Some("Operation not permitted")), ("errno_eperm", "errno_only"));
        assert_eq!(class(-1, 1, Some("already in a Sandbox")), ("already_sandboxed", "errbuf_regex"));
        assert_eq!(class(-1, 13, None), ("errno_eacces", "errno_only"));
        assert_eq!(class(-1, 22, None), ("errno_other", "errno_only"));
        assert_eq!(class(-1, 0, Some("unbound variable")), ("unknown", "errbuf_present"));
        assert_eq!(class(-1, 0, None), ("unknown", "none"));
        // Only sandbox_init has words.
        assert_eq!(err_class("sandbox_apply", -1, 1, None), ("errno_eperm", "errno_only"));
    }
}
