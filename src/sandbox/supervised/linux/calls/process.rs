//! Programs, processes, signals, and what takes its arguments by value.

use std::os::fd::AsRawFd;

use super::super::ask::{Kind, mac_signal};
use super::super::memory::Task;
use super::super::notify::Reply;
use super::super::run::{Executing, Run, Served};
use super::super::sys::{self, Errno, Sys};
use super::super::walk::Walked;
use crate::decide::Value;

/// Longest first line of a script, and most interpreters of interpreters, as Linux has them.
const SCRIPT_LINE: usize = 256;
const INTERPRETERS: usize = 5;
/// Longest line of ancestors that is looked at.
const ANCESTORS: usize = 64;

/// Values of the filter `target`.
const SELF: u16 = 1;
const PROCESS_GROUP: u16 = 2;
const OTHERS: u16 = 3;
const CHILDREN: u16 = 4;
const SAME_SANDBOX: u16 = 5;
const INIT: u16 = 6;

impl Run<'_> {
    /// Walks for the sake of the links; where it ends nothing is asked.
    pub(super) fn chdir(&mut self, served: &Served) -> Sys<Reply> {
        let path = served.task.string(served.arg(0))?;
        self.still(served)?;
        let walked = self.walk_text(served, libc::AT_FDCWD, &path, true)?;
        self.ask_links(served, &walked)?;
        self.check_kernel_agrees(served, libc::AT_FDCWD, &path, &walked, true)?;
        Ok(Reply::Continue)
    }

    /// The kernel goes on with the path as it stands. Where the tree was moved, or has a name in the model only, the kernel
    /// does not find what was judged: then the call fails instead of doing something else.
    pub(super) fn check_kernel_agrees(
        &self,
        served: &Served,
        folder: i32,
        path: &[u8],
        walked: &Walked,
        follow: bool,
    ) -> Sys<()> {
        let judged = walked.existing()?;
        // Those names mean something else to the supervisor than to the process.
        if walked.model.starts_with(b"/proc/") || path.starts_with(b"/proc/") || path.starts_with(b"/dev/") {
            return Ok(());
        }
        let folder = match path.first() {
            Some(b'/') => None,
            _ => Some(served.task.folder(folder)?.0),
        };
        let from = folder.as_ref().map_or(sys::ROOT, AsRawFd::as_raw_fd);
        let flags = if follow { libc::O_PATH } else { libc::O_PATH | libc::O_NOFOLLOW };
        let found = sys::stat_fd(&sys::openat(from, &sys::c_string(path)?, flags, 0)?)?;
        let same = (found.st_dev, found.st_ino) == (judged.stat.st_dev, judged.stat.st_ino);
        if same { Ok(()) } else { Err(Errno::NOENT) }
    }

    pub(super) fn exec(&mut self, served: &Served) -> Sys<Reply> {
        let (folder, path, flags) = match served.call.name {
            "execveat" => (served.int(0), served.arg(1), served.int(4)),
            _ => (libc::AT_FDCWD, served.arg(0), 0),
        };
        let walked = self.walk_at(served, folder, path, flags)?;
        // Without a path the descriptor is meant.
        let text = if path == 0 { Vec::new() } else { served.task.string(path)? };
        if walked.object.is_some() && !text.is_empty() {
            let follow = flags & libc::AT_SYMLINK_NOFOLLOW == 0;
            self.check_kernel_agrees(served, folder, &text, &walked, follow)?;
        }
        let refused = self.asker.refused();
        let judged = self.judge_program(served, &walked);
        self.exec_refused |= self.asker.refused() > refused;
        judged.map(|()| Reply::Continue)
    }

    /// Judges a program and its interpreters; remembers what the process may become.
    fn judge_program(&mut self, served: &Served, walked: &Walked) -> Sys<()> {
        if walked.object.is_none() {
            self.ask_links(served, walked)?;
        }
        // A program without a name (memfd, deleted) is judged by what the kernel calls it: no rule about paths allows that.
        walked.existing()?;
        self.ask_program(served, "process-exec*", walked)?;
        let mut interpreter: Option<Walked> = None;
        let mut depth = 0;
        while let Some(path) = interpreter_of(interpreter.as_ref().unwrap_or(walked).existing()?.fd()?) {
            depth += 1;
            if depth > INTERPRETERS {
                return Err(Errno::LOOP);
            }
            let next = self.walk_text(served, libc::AT_FDCWD, &path, true)?;
            next.existing()?;
            self.ask_program(served, "process-exec-interpreter", &next)?;
            interpreter = Some(next);
        }
        let object = interpreter.as_ref().unwrap_or(walked).existing()?;
        let group = served.task.group()?;
        // Should the kernel refuse it after all, it stays what it is.
        let before = served.task.program_file().ok();
        self.executing.insert(group, Executing { judged: (object.stat.st_dev, object.stat.st_ino), before });
        Ok(())
    }

    fn ask_program(&self, served: &Served, operation: &str, walked: &Walked) -> Sys<()> {
        if walked.is_named() {
            return self.asker.ask_path(&served.question(operation), walked, Kind::Existing, Vec::new());
        }
        self.asker.ask(&served.question(operation), Vec::new(), &walked.model)
    }

    /// Compares the programs of processes that have executed something with what was judged. Another one got in between: the
    /// process ends. Whoever still has its old program may be on the way to the new one, until it is heard of again.
    pub(in super::super) fn check_programs(&mut self, task: Task) -> Sys<()> {
        let caller = task.group()?;
        let mut verdict = Ok(());
        self.executing.retain(|process, program| {
            let Ok(now) = (Task { thread: *process }).program_file() else { return false };
            if now == program.judged {
                return false;
            }
            if Some(now) == program.before {
                return *process != caller;
            }
            sys::send_signal(*process as i32, libc::SIGKILL);
            if *process == caller {
                verdict = Err(Errno::PERM);
            }
            false
        });
        verdict
    }

    pub(super) fn fork(&mut self, served: &Served) -> Sys<Reply> {
        const NAMESPACES: u64 = 0x7e02_0000;
        if served.call.name == "clone" && served.arg(0) & NAMESPACES != 0 {
            return Err(Errno::PERM);
        }
        self.asker.ask(&served.question("process-fork"), Vec::new(), b"")?;
        self.count_process()?;
        Ok(Reply::Continue)
    }

    /// One process more. They are counted only when as many were made since as there may be; those that are being made then are missed,
    /// so there are never twice as many as there may be.
    fn count_process(&mut self) -> Sys<()> {
        let Some(most) = self.most_processes else { return Ok(()) };
        if self.processes >= most {
            self.processes = count_below(self.keeper, most);
        }
        if self.processes >= most {
            // As macOS answers at its limit for one user.
            return Err(Errno(libc::EAGAIN));
        }
        self.processes += 1;
        Ok(())
    }

    /// The file behind executable memory: of `mmap` by its descriptor, of `mprotect` by what is mapped there.
    pub(super) fn map_code(&mut self, served: &Served) -> Sys<Reply> {
        if served.call.name == "mmap" {
            let walked = self.behind(served, served.int(4))?;
            if !is_system_library(&walked.model) {
                self.asker.ask_path(&served.question("file-map-executable"), &walked, Kind::Existing, Vec::new())?;
            }
            return Ok(Reply::Continue);
        }
        let (from, to) = (served.arg(0), served.arg(0).saturating_add(served.arg(1)));
        let maps = served.task.text("maps")?;
        self.still(served)?;
        for line in maps.lines() {
            let mut fields = line.splitn(6, ' ');
            let Some((start, end)) = fields.next().and_then(|range| range.split_once('-')) else { continue };
            let number = |text| u64::from_str_radix(text, 16).unwrap_or(0);
            let executable = fields.next().is_some_and(|flags| flags.contains('x'));
            let name = fields.nth(3).unwrap_or_default().trim_start();
            if number(start) >= to || number(end) <= from || executable || !name.starts_with('/') {
                continue;
            }
            let name = name.strip_suffix(" (deleted)").unwrap_or(name);
            let model = self.mapping.model_of(name.as_bytes());
            if is_system_library(&model) {
                continue;
            }
            let values = vec![(crate::decide::PATH, Value::string(model.as_slice()))];
            self.asker.ask(&served.question("file-map-executable"), values, &model)?;
        }
        Ok(Reply::Continue)
    }

    pub(super) fn signal(&mut self, served: &Served) -> Sys<Reply> {
        let (to, signal) = match served.call.name {
            "tgkill" | "rt_tgsigqueueinfo" => (i64::from(served.int(0)), served.int(2)),
            "pidfd_send_signal" => (i64::from(self.process_behind(served)?), served.int(1)),
            _ => (i64::from(served.int(0)), served.int(1)),
        };
        let own = served.task.group()?;
        let ours = [self.own, self.keeper];
        let (mut targets, pid) = match to {
            -1 => (vec![OTHERS], None),
            0 => (vec![PROCESS_GROUP], None),
            group if group < 0 => {
                let (mine, _) = served.task.process_group_and_terminal()?;
                if group != -i64::from(mine) {
                    let leader = u32::try_from(-group).unwrap_or(0);
                    (self.relations(own, leader), None)
                } else {
                    (vec![PROCESS_GROUP], None)
                }
            }
            pid => {
                // A thread's own number names its process too.
                let thread = u32::try_from(pid).unwrap_or(0);
                let group = Task { thread }.group().unwrap_or(thread);
                (self.relations(own, group), Some(group))
            }
        };
        // Signal 0 to a whole lot would not hurt, but it is not worth the exception.
        if to == -1 || pid.is_some_and(|pid| ours.contains(&pid)) {
            return Err(Errno::PERM);
        }
        targets.sort_unstable();
        let names: Vec<&str> = targets.iter().map(|number| name_of(*number)).collect();
        let mut values = Vec::new();
        if let Some(filter) = self.asker.filters.target {
            values.push((filter, Value::Numbers(targets)));
        }
        if let (Some(filter), Ok(number)) = (self.asker.filters.signal_number, u16::try_from(mac_signal(signal))) {
            values.push((filter, Value::number(number)));
        }
        let argument = pid.map_or_else(|| names.join(" "), |pid| format!("{pid} ({})", names.join(" ")));
        self.asker.ask(&served.question("signal"), values, argument.as_bytes())?;
        Ok(Reply::Continue)
    }

    fn process_behind(&self, served: &Served) -> Sys<u32> {
        let fields = served.task.text(&format!("fdinfo/{}", served.int(0)))?;
        let line = fields.lines().find_map(|line| line.strip_prefix("Pid:"));
        line.and_then(|pid| pid.trim().parse().ok()).ok_or(Errno(libc::ESRCH))
    }

    /// What `other` is to `own`: values of the filter `target`.
    fn relations(&self, own: u32, other: u32) -> Vec<u16> {
        if own == other {
            return vec![SELF, SAME_SANDBOX];
        }
        let mut found = vec![OTHERS];
        let task = Task { thread: other };
        if other == 1 {
            found.push(INIT);
        }
        if task.parent() == Ok(own) {
            found.push(CHILDREN);
        }
        let group = |pid| Task { thread: pid }.process_group_and_terminal().map(|(group, _)| group);
        if group(other).is_ok_and(|theirs| group(own) == Ok(theirs)) {
            found.push(PROCESS_GROUP);
        }
        let mut ancestor = other;
        for _ in 0..ANCESTORS {
            match (Task { thread: ancestor }).parent() {
                Ok(parent) if parent == self.keeper => {
                    found.push(SAME_SANDBOX);
                    break;
                }
                Ok(parent) if parent > 1 => ancestor = parent,
                _ => break,
            }
        }
        found
    }

    /// Asks about a process.
    pub(in super::super) fn ask_process(&self, served: &Served, operation: &str, pid: u32) -> Sys<()> {
        let mut targets = self.relations(served.task.group()?, pid);
        targets.sort_unstable();
        let names: Vec<&str> = targets.iter().map(|number| name_of(*number)).collect();
        let argument = format!("{pid} ({})", names.join(" "));
        let values = self.asker.filters.target.map(|filter| (filter, Value::Numbers(targets)));
        self.asker.ask(&served.question(operation), values.into_iter().collect(), argument.as_bytes())
    }

    /// Control of something that has a path: a device most often. Pipes and sockets are not asked about.
    pub(super) fn ioctl(&mut self, served: &Served) -> Sys<Reply> {
        // TIOCSTI and TIOCLINUX type at a terminal: no process of a run speaks for its user.
        if matches!(served.arg(1) as u32, 0x5412 | 0x541c) {
            return Err(Errno::PERM);
        }
        // FIOSETOWN and SIOCSPGRP have signals sent to whom they name, by a number in memory.
        if matches!(served.arg(1) as u32, 0x8901 | 0x8902) {
            return Err(Errno::PERM);
        }
        let walked = self.behind(served, served.int(0))?;
        self.asker.ask_path(&served.question("file-ioctl"), &walked, Kind::Existing, Vec::new())?;
        Ok(Reply::Continue)
    }

    /// Asks the call's one operation, about nothing in particular.
    pub(super) fn plain(&mut self, served: &Served) -> Sys<Reply> {
        let operation = served.call.operations.first().copied().unwrap_or_default();
        self.asker.ask(&served.question(operation), Vec::new(), b"")?;
        Ok(Reply::Continue)
    }

    /// Limits, priorities and processors of another process: whose run it is, it may do so. macOS has no such calls, or asks nothing.
    pub(super) fn neighbour(&mut self, served: &Served) -> Sys<Reply> {
        const BY_USER: [(&str, i32); 2] = [("setpriority", libc::PRIO_USER as i32), ("ioprio_set", 3)];
        let by_kind = matches!(served.call.name, "setpriority" | "ioprio_set");
        if by_kind && BY_USER.contains(&(served.call.name, served.int(0))) {
            return Err(Errno::PERM);
        }
        self.check_neighbour(served, served.arg(usize::from(by_kind)) as u32)?;
        Ok(Reply::Continue)
    }

    /// The kernel sends signals of a descriptor to whom this names, and asks nobody then.
    pub(super) fn owner(&mut self, served: &Served) -> Sys<Reply> {
        // A group is known by its first process.
        match served.int(2).unsigned_abs() {
            0 => {}
            process => self.check_neighbour(served, process)?,
        }
        Ok(Reply::Continue)
    }

    /// Whether `other`, a process or a thread, is of this run.
    fn check_neighbour(&self, served: &Served, thread: u32) -> Sys<()> {
        let process = Task { thread }.group().map_err(|_| Errno(libc::ESRCH))?;
        let known = self.relations(served.task.group()?, process);
        if known.contains(&SAME_SANDBOX) { Ok(()) } else { Err(Errno::PERM) }
    }

    /// The supervisor acts as itself: who became somebody else would still act as the supervisor's user.
    pub(super) fn credentials(&mut self, served: &Served) -> Sys<Reply> {
        let name = served.call.name;
        if name == "capset" {
            return Ok(Reply::Continue);
        }
        let (user, group) = sys::own_ids();
        let own = if name.contains("gid") { group } else { user };
        let count = match name {
            "setgroups" => return Err(Errno::PERM),
            "setresuid" | "setresgid" => 3,
            "setreuid" | "setregid" => 2,
            _ => 1,
        };
        let stays = (0..count).all(|place| matches!(served.arg(place) as u32, id if id == own || id == u32::MAX));
        if stays { Ok(Reply::Continue) } else { Err(Errno::PERM) }
    }
}

/// The host's own libraries. Those of macOS are in the shared cache, which is mapped into every process before anything is
/// asked; so nothing is asked about these either.
fn is_system_library(model: &[u8]) -> bool {
    const FOLDERS: [&[u8]; 5] = [b"/usr/lib/", b"/usr/lib32/", b"/usr/lib64/", b"/lib/", b"/lib64/"];
    FOLDERS.iter().any(|folder| model.starts_with(folder))
}

/// How many processes descend from `ancestor`; not many more than `enough` are looked for.
fn count_below(ancestor: u32, enough: u32) -> u32 {
    let (mut count, mut parents) = (0, vec![ancestor]);
    while let Some(parent) = parents.pop().filter(|_| count < enough) {
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{parent}/task")) else { continue };
        // Each thread has the children that it made.
        for task in tasks.flatten() {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            let children = children.split_whitespace().filter_map(|child| child.parse::<u32>().ok());
            parents.extend(children.inspect(|_| count += 1));
        }
    }
    count
}

fn name_of(target: u16) -> &'static str {
    match target {
        SELF => "self",
        PROCESS_GROUP => "pgrp",
        OTHERS => "others",
        CHILDREN => "children",
        SAME_SANDBOX => "same-sandbox",
        _ => "initproc",
    }
}

/// The program that runs a script; `None` for what is none, or cannot be read (the kernel will say so).
fn interpreter_of(file: &std::os::fd::OwnedFd) -> Option<Vec<u8>> {
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
    let fd = sys::openat(sys::ROOT, &sys::magic(file), flags, 0).ok()?;
    let mut line = [0; SCRIPT_LINE];
    let read = sys::read(&fd, &mut line).ok()?;
    interpreter_in(line.get(..read)?)
}

fn interpreter_in(text: &[u8]) -> Option<Vec<u8>> {
    let line = text.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let word = line.split(|byte| matches!(byte, b' ' | b'\t' | 0)).find(|word| !word.is_empty())?;
    Some(word.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hosts_own_libraries_are_like_the_shared_cache() {
        assert!(is_system_library(b"/usr/lib/x86_64-linux-gnu/libc.so.6"));
        assert!(!is_system_library(b"/usr/local/lib/libx.so") && !is_system_library(b"/private/tmp/usr/lib/libx.so"));
    }

    #[test]
    fn scripts_name_their_interpreter() {
        assert_eq!(interpreter_in(b"#!/bin/sh\nx"), Some(b"/bin/sh".to_vec()));
        assert_eq!(interpreter_in(b"#! /usr/bin/env  perl -w"), Some(b"/usr/bin/env".to_vec()));
        assert_eq!(interpreter_in(b"\x7fELF"), None);
        assert_eq!(interpreter_in(b"#!\n"), None);
    }
}
