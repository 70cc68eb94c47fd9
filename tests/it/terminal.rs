//! `sbpl exec` at a terminal, started by an interactive shell: signals, stopping and going on, the terminal's own group and size.

#![allow(unsafe_code)]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::exec::left_out;

const PATIENCE: Duration = Duration::from_secs(40);

/// Both ends of a new terminal.
fn terminal() -> (File, OwnedFd) {
    let mut name = [0; 128];
    // SAFETY: the buffer has the length given; the kernel has just made both descriptors.
    unsafe {
        let master = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC);
        assert!(master >= 0 && libc::grantpt(master) == 0 && libc::unlockpt(master) == 0);
        assert_eq!(libc::ptsname_r(master, name.as_mut_ptr(), name.len()), 0);
        let slave = libc::open(name.as_ptr(), libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC);
        assert!(slave >= 0);
        (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave))
    }
}

/// An interactive shell with job control at a terminal of its own. Ends with everything in it when the terminal is closed.
struct Shell {
    shell: Child,
    keys: File,
    shown: mpsc::Receiver<Vec<u8>>,
    unread: String,
}

impl Shell {
    fn new() -> Self {
        let (keys, slave) = terminal();
        let end = || Stdio::from(slave.try_clone().unwrap());
        // Whoever runs the tests may ignore signals, and that is inherited.
        let mut command = Command::new("env");
        command
            .args(["--default-signal", "/bin/bash", "--norc", "--noprofile", "--noediting", "-i"])
            .stdin(end())
            .stdout(end())
            .stderr(end());
        command.env("PS1", "").env("PS2", "").env("SBPL", env!("CARGO_BIN_EXE_sbpl"));
        command.env("ALLOW", "(version 1)(allow default)");
        // SAFETY: two calls that a forked child may do.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                if libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let shell = command.spawn().unwrap();
        drop((command, slave));
        let (sender, shown) = mpsc::channel();
        let mut screen = keys.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = screen.read(&mut buffer) {
                if length == 0 || sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let mut this = Self { shell, keys, shown, unread: String::new() };
        // What is typed is not shown; what is waited for is never part of what was typed.
        this.types("stty -echo; set -o monitor; echo read''y\n");
        this.sees("ready");
        this
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until `text` is shown; what was shown before it is forgotten.
    fn sees(&mut self, text: &str) {
        let start = Instant::now();
        loop {
            if let Some(at) = self.unread.find(text) {
                self.unread.drain(..at + text.len());
                return;
            }
            match self.shown.recv_timeout(PATIENCE.saturating_sub(start.elapsed())) {
                Ok(bytes) => self.unread.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("'{text}' was never shown: {:?}", self.unread),
            }
        }
    }

    /// Runs `script` with bash under a profile that allows everything, until it says that it has begun.
    fn runs(&mut self, script: &str) {
        assert!(!script.contains('\''));
        self.types(&format!("\"$SBPL\" exec -p \"$ALLOW\" -- bash -c '{script}'; echo \"status=$?.\"\n"));
        self.sees("begun");
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // Its jobs are ended with it: the terminal hangs up.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// The key that interrupts ends the command, and the shell sees 130; a command that catches it says itself how it ends.
#[test]
fn interrupting() {
    if left_out() {
        return;
    }
    let mut shell = Shell::new();
    shell.runs("echo begun; exec sleep 1000");
    shell.types("\x03");
    shell.sees("status=130.");
    shell.runs("trap \"echo caught; exit 7\" INT; echo begun; while :; do read -t 1 line; done");
    shell.types("\x03");
    shell.sees("caught");
    shell.sees("status=7.");
    shell.runs("echo begun; kill -KILL $$");
    shell.sees("status=137.");
}

/// The key that stops, `jobs`, `fg`, `bg`: as without us.
#[test]
fn stopping_and_going_on() {
    if left_out() {
        return;
    }
    let mut shell = Shell::new();
    shell.runs("echo begun; while read line; do echo \"got $line\"; done");
    for _ in 0..2 {
        // Not before the command has the terminal.
        shell.types("hello\n");
        shell.sees("got hello");
        shell.types("\x1a");
        shell.sees("Stopped");
        shell.types("jobs; echo \"list\"ed\n");
        shell.sees("Stopped");
        shell.sees("listed");
        shell.types("fg\n");
        shell.sees("exec");
    }
    // The end of what is typed.
    shell.types("bye\n");
    shell.sees("got bye");
    shell.types("\x04");
    shell.types("echo \"status=$?.\"\n");
    shell.sees("status=0.");
    shell.runs("echo begun; sleep 0.5; echo \"in the background\"");
    shell.types("\x1a");
    shell.sees("Stopped");
    shell.types("bg\n");
    shell.sees("in the background");
}

/// A command that catches the signal of the key goes on, and its calls are served.
#[test]
fn a_command_that_does_not_stop() {
    if left_out() {
        return;
    }
    let mut shell = Shell::new();
    shell.runs("trap \"cat /etc/hostname >/dev/null; echo caught\" TSTP; echo begun; until read -t 0.2 line; do :; done; echo over");
    shell.types("\x1a");
    shell.sees("caught");
    shell.types("\n");
    shell.sees("over");
    shell.sees("status=0.");
}

/// A shell inside has jobs of its own, takes the terminal and gives it back; when it stops itself the shell outside notices.
#[test]
fn a_shell_inside() {
    if left_out() {
        return;
    }
    let mut shell = Shell::new();
    shell.types("\"$SBPL\" exec -p \"$ALLOW\" -- bash --norc --noprofile --noediting -i; echo \"status=$?.\"\n");
    shell.types("echo \"in\"side\n");
    shell.sees("inside");
    shell.types("sleep 1000\n");
    std::thread::sleep(Duration::from_millis(500));
    shell.types("\x1a");
    shell.sees("Stopped");
    shell.types("kill %1; suspend\n");
    shell.sees("Stopped");
    shell.types("echo \"out\"side; fg\n");
    shell.sees("outside");
    shell.types("echo \"in\"side again; exit 5\n");
    shell.sees("inside again");
    shell.types("echo \"status=$?.\"\n");
    shell.sees("status=5.");
}

/// The terminal's size comes through, when it changes and when it is asked.
#[test]
fn the_size_of_the_window() {
    if left_out() {
        return;
    }
    let mut shell = Shell::new();
    shell.runs("trap \"stty size; exit 3\" WINCH; echo begun; while :; do read -t 1 line; done");
    let size = libc::winsize { ws_row: 33, ws_col: 101, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the request takes a `winsize`.
    assert_eq!(unsafe { libc::ioctl(shell.keys.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) }, 0);
    shell.sees("33 101");
    shell.sees("status=3.");
}
