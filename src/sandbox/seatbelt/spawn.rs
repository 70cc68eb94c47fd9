//! Runs one program to its end: bounded time, bounded output, no grandchild left behind.

use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::sandbox::Cancel;

/// Most bytes of either stream of a probe that are kept.
pub(super) const MAX_OUTPUT: usize = 1 << 20;
/// How often a running program is looked at.
const PAUSE: Duration = Duration::from_millis(2);
/// How long the streams of an ended program may stay open.
const DRAIN: Duration = Duration::from_secs(1);

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    /// Its id.
    pub(super) pid: u32,
    /// Exit status, or a signal as a negative number; `None` when it was stopped for time.
    pub(super) code: Option<i32>,
    /// What it printed.
    pub(super) stdout: String,
    /// What it complained about.
    pub(super) stderr: String,
}

/// Runs `command` with nothing on standard input, in a process group of its own, and keeps `room` bytes of either stream.
/// It is killed after `limit`, and when `cancel` says so.
pub(super) fn run(command: &mut Command, limit: Duration, cancel: &Cancel, room: usize) -> io::Result<Ended> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    let pid = child.id();
    let (out, err) = (collect(child.stdout.take(), room), collect(child.stderr.take(), room));
    let status = wait(&mut child, limit, cancel)?;
    // Whatever it started is of no use any more; the group may be empty by now.
    kill_group(pid);
    let code = status.map(|status| status.code().unwrap_or_else(|| -status.signal().unwrap_or(0)));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Ended { pid, code, stdout: text(take(&out)), stderr: text(take(&err)) })
}

fn wait(child: &mut Child, limit: Duration, cancel: &Cancel) -> io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() >= limit || cancel.is_set() {
            kill_group(child.id());
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(PAUSE);
    }
}

#[allow(unsafe_code)]
fn kill_group(pid: u32) {
    if let Ok(group) = i32::try_from(pid)
        && group > 1
    {
        // SAFETY: numbers only. The group was made for the child; its id is not given to another while the group has members.
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
}

/// Reads a stream on a thread, so that neither stream can block the other.
fn collect(stream: Option<impl Read + Send + 'static>, most: usize) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    if let Some(mut stream) = stream {
        thread::spawn(move || {
            let mut buffer = vec![0; 8192];
            let mut kept = 0;
            while let Ok(length) = stream.read(&mut buffer) {
                let chunk = buffer.get(..length).unwrap_or_default();
                let room = most.saturating_sub(kept);
                kept += chunk.len().min(room);
                // What is beyond the bound is read and thrown away: a full pipe would stop the program.
                if length == 0 || sender.send(chunk.get(..chunk.len().min(room)).unwrap_or_default().to_vec()).is_err()
                {
                    return;
                }
            }
        });
    }
    receiver
}

fn take(chunks: &mpsc::Receiver<Vec<u8>>) -> Vec<u8> {
    let end = Instant::now() + DRAIN;
    let mut bytes = Vec::new();
    while let Ok(chunk) = chunks.recv_timeout(end.saturating_duration_since(Instant::now())) {
        bytes.extend(chunk);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(text: &str, limit: u64) -> Ended {
        run(Command::new("/bin/sh").args(["-c", text]), Duration::from_millis(limit), &Cancel::never(), MAX_OUTPUT)
            .unwrap()
    }

    #[test]
    fn both_streams_status_and_signal() {
        let ended = shell("echo out; echo err >&2; exit 3", 5000);
        assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(3), "out\n", "err\n"));
        assert_eq!(shell("kill -ABRT $$", 5000).code, Some(-6));
    }

    #[test]
    fn time_and_output_are_bounded() {
        let start = Instant::now();
        let ended = shell("echo before; sleep 30 & sleep 30", 100);
        assert!(ended.code.is_none() && ended.stdout == "before\n");
        assert!(start.elapsed() < Duration::from_secs(10));
        assert_eq!(shell("head -c 3000000 /dev/zero", 5000).stdout.len(), MAX_OUTPUT);
    }
}
