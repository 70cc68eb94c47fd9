//! Opening files and looking at them.

use super::super::ask::Kind;
use super::super::notify::Reply;
use super::super::run::{Run, Served};
use super::super::sys::{self, Errno, Sys};
use super::super::walk::Walked;
use crate::decide::Value;

/// Flags of `open` that are handed to the kernel as they are.
const KEPT: i32 = libc::O_ACCMODE
    | libc::O_APPEND
    | libc::O_ASYNC
    | libc::O_DIRECT
    | libc::O_DIRECTORY
    | libc::O_DSYNC
    | libc::O_EXCL
    | libc::O_NOATIME
    | libc::O_NOFOLLOW
    | libc::O_NONBLOCK
    | libc::O_SYNC
    | libc::O_TMPFILE
    | libc::O_TRUNC;

/// How often a name that changes under the call is looked up again.
const TRIES: usize = 8;

/// A path in `/proc` or `/dev/shm` that stands for something else than a file on macOS.
pub(super) enum Stands {
    /// A file.
    File,
    /// `/proc/PID/…`: information about a process.
    Process(u32),
    /// `/proc` itself: the list of processes.
    Processes,
    /// `/proc/sys/…`: a system control of this name.
    Control(String),
}

impl Stands {
    pub(super) fn of(model: &[u8]) -> Self {
        let Some(rest) = model.strip_prefix(b"/proc") else { return Self::File };
        let text = String::from_utf8_lossy(rest).into_owned();
        let mut parts = text.split('/').skip(1);
        match (parts.next(), parts.next()) {
            (None, _) if rest.is_empty() => Self::Processes,
            (Some("sys"), Some(first)) => {
                // macOS abbreviates what Linux spells out.
                let first = if first == "kernel" { "kern" } else { first };
                let names: Vec<&str> = [first].into_iter().chain(parts).collect();
                Self::Control(names.join("."))
            }
            (Some(pid), Some(_)) => pid.parse().map_or(Self::File, Self::Process),
            _ => Self::File,
        }
    }
}

impl Run<'_> {
    pub(super) fn open(&mut self, served: &Served) -> Sys<Reply> {
        let (folder, path, flags, mode) = match served.call.name {
            "openat" => (served.int(0), served.arg(1), served.int(2), served.arg(3) as u32),
            "creat" => {
                (libc::AT_FDCWD, served.arg(0), libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC, served.arg(1) as u32)
            }
            _ => (libc::AT_FDCWD, served.arg(0), served.int(1), served.arg(2) as u32),
        };
        let path = served.task.string(path)?;
        self.still(served)?;
        let refused = self.asker.refused();
        let mut tries = 0;
        loop {
            match self.open_once(served, folder, &path, flags, mode) {
                // Something came, went or became a link between walk and open: the walk is taken again. A profile's rules may
                // say these numbers too.
                Err(Errno(libc::ELOOP | libc::ENOENT | libc::EEXIST))
                    if tries < TRIES && self.asker.refused() == refused && self.moved(served, folder, &path, flags) =>
                {
                    tries += 1;
                }
                other => return other,
            }
        }
    }

    /// Whether a walk now finds a file where the last error was about one: then names are being changed under the call.
    fn moved(&self, served: &Served, folder: i32, path: &[u8], flags: i32) -> bool {
        let creates = flags & libc::O_CREAT != 0 && flags & libc::O_EXCL == 0;
        let follow = flags & libc::O_NOFOLLOW == 0;
        creates || (follow && self.walk_text(served, folder, path, true).is_ok_and(|walked| walked.object.is_some()))
    }

    fn open_once(&mut self, served: &Served, folder: i32, path: &[u8], flags: i32, mode: u32) -> Sys<Reply> {
        let creates = flags & libc::O_CREAT != 0 && flags & libc::O_PATH == 0;
        let exclusive = creates && flags & libc::O_EXCL != 0;
        let follow = flags & libc::O_NOFOLLOW == 0 && !exclusive;
        let mut walked = self.look_text(served, folder, path, follow)?;
        if walked.object.as_ref().is_some_and(|object| !matches!(object.kind(), libc::S_IFREG | libc::S_IFDIR)) {
            // Pipes and devices are worked with by what was judged, not by name.
            walked = self.walk_text(served, folder, path, follow)?;
        }
        let unnamed = flags & libc::O_TMPFILE == libc::O_TMPFILE;
        let close_on_exec = flags & libc::O_CLOEXEC != 0;
        let wanted = flags & KEPT;
        if walked.object.is_none() || unnamed {
            if !creates && !unnamed {
                self.ask_links(served, &walked)?;
                return Err(Errno::NOENT);
            }
            if walked.as_folder && !unnamed {
                return Err(Errno(libc::EISDIR));
            }
            let mode = mode & 0o7777 & !served.task.umask()?;
            self.asker.ask_path(
                &served.question("file-write-create"),
                &walked,
                Kind::New(libc::S_IFREG | mode),
                Vec::new(),
            )?;
            self.ask_setugid(served, &walked, mode)?;
            // Whoever comes first makes it: a file that appeared since was not judged for what is opened here.
            let wanted = if unnamed { wanted } else { wanted | libc::O_CREAT | libc::O_EXCL };
            let fd = walked.open(wanted, mode)?;
            return Ok(Reply::File { fd, close_on_exec });
        }
        if exclusive {
            self.ask_links(served, &walked)?;
            return Err(Errno(libc::EEXIST));
        }
        let object = walked.existing()?;
        let kind = object.kind();
        if creates && kind == libc::S_IFDIR {
            self.ask_links(served, &walked)?;
            return Err(Errno(libc::EISDIR));
        }
        self.ask_open(served, &walked, flags)?;
        if flags & libc::O_PATH != 0 {
            // The kernel hands over no such descriptor. One that the process gets by itself opens nothing that is not judged
            // again; a name that has changed by then gives away metadata at most.
            self.check_kernel_agrees(served, folder, path, &walked, flags & libc::O_NOFOLLOW == 0)?;
            return Ok(Reply::Continue);
        }
        if kind == libc::S_IFIFO && flags & libc::O_NONBLOCK == 0 {
            return self.open_pipe(served, &walked, wanted, close_on_exec);
        }
        if kind == libc::S_IFCHR && sys::device(object.stat.st_rdev) == (5, 0) {
            return self.open_terminal(served, wanted, close_on_exec);
        }
        // Terminals and other devices may wait for a carrier; theirs is not waited for here.
        let waits = kind == libc::S_IFCHR && flags & libc::O_NONBLOCK == 0;
        let fd = walked.open(if waits { wanted | libc::O_NONBLOCK } else { wanted }, 0)?;
        if waits {
            sys::set_file_flags(&fd, sys::file_flags(&fd)? & !libc::O_NONBLOCK)?;
        }
        Ok(Reply::File { fd, close_on_exec })
    }

    /// What opening something that exists asks.
    fn ask_open(&self, served: &Served, walked: &Walked, flags: i32) -> Sys<()> {
        if flags & libc::O_PATH != 0 {
            return self.ask_look(served, walked);
        }
        let access = flags & libc::O_ACCMODE;
        let reads = access == libc::O_RDONLY || access == libc::O_RDWR;
        let writes = access != libc::O_RDONLY || flags & libc::O_TRUNC != 0;
        let stands = Stands::of(&walked.model);
        if !matches!(stands, Stands::File) {
            self.ask_links(served, walked)?;
        }
        match stands {
            Stands::Control(name) => {
                let asks = [(reads, "sysctl-read"), (writes, "sysctl-write")];
                return asks
                    .iter()
                    .filter(|(does, _)| *does)
                    .try_for_each(|(_, operation)| self.ask_control(served, operation, &name));
            }
            Stands::Process(pid) => self.ask_process(served, "process-info-pidinfo", pid)?,
            Stands::Processes => return self.asker.ask(&served.question("process-info-listpids"), Vec::new(), b""),
            Stands::File if reads => {
                self.asker.ask_path(&served.question("file-read-data"), walked, Kind::Existing, Vec::new())?;
            }
            Stands::File => {}
        }
        if writes {
            self.asker.ask_path(&served.question("file-write-data"), walked, Kind::Existing, Vec::new())?;
        }
        Ok(())
    }

    /// What looking at something asks: its metadata, or what stands for that.
    pub(super) fn ask_look(&self, served: &Served, walked: &Walked) -> Sys<()> {
        match Stands::of(&walked.model) {
            Stands::Process(pid) => {
                self.ask_links(served, walked)?;
                self.ask_process(served, "process-info-pidinfo", pid)
            }
            Stands::Processes => {
                self.ask_links(served, walked)?;
                self.asker.ask(&served.question("process-info-listpids"), Vec::new(), b"")
            }
            Stands::Control(name) => {
                self.ask_links(served, walked)?;
                self.ask_control(served, "sysctl-read", &name)
            }
            Stands::File => {
                self.asker.ask_path(&served.question("file-read-metadata"), walked, Kind::Existing, Vec::new())
            }
        }
    }

    fn ask_control(&self, served: &Served, operation: &str, name: &str) -> Sys<()> {
        let values = self.asker.filters.sysctl_name.map(|filter| (filter, Value::string(name)));
        self.asker.ask(&served.question(operation), values.into_iter().collect(), name.as_bytes())
    }

    pub(super) fn ask_links(&self, served: &Served, walked: &Walked) -> Sys<()> {
        self.asker.ask_links(&served.question("file-read-metadata"), walked)
    }

    /// Making a file that runs as its owner.
    pub(super) fn ask_setugid(&self, served: &Served, walked: &Walked, mode: u32) -> Sys<()> {
        if mode & (libc::S_ISUID | libc::S_ISGID) == 0 {
            return Ok(());
        }
        self.asker.ask_path(&served.question("file-write-setugid"), walked, Kind::New(libc::S_IFREG | mode), Vec::new())
    }

    /// A named pipe waits for its other end: not here, or nobody else would be served.
    fn open_pipe(&mut self, served: &Served, walked: &Walked, flags: i32, close_on_exec: bool) -> Sys<Reply> {
        match flags & libc::O_ACCMODE {
            libc::O_RDONLY => {
                let pipe = walked.held()?;
                self.workers.read_pipe(&self.listener, served.id, pipe, close_on_exec)
            }
            libc::O_WRONLY => {
                let pipe = walked.held()?;
                let attempt = move || match sys::openat(sys::ROOT, &sys::magic(&pipe), flags | libc::O_NONBLOCK, 0) {
                    Ok(fd) => {
                        sys::set_file_flags(&fd, sys::file_flags(&fd)? & !libc::O_NONBLOCK)?;
                        Ok(Some(Reply::File { fd, close_on_exec }))
                    }
                    Err(Errno(libc::ENXIO)) => Ok(None),
                    Err(error) => Err(error),
                };
                self.workers.retry(&self.listener, served.id, attempt)
            }
            _ => Ok(Reply::File { fd: walked.open(flags, 0)?, close_on_exec }),
        }
    }

    /// `/dev/tty` is the terminal of the process, not the supervisor's.
    fn open_terminal(&self, served: &Served, flags: i32, close_on_exec: bool) -> Sys<Reply> {
        let (_, terminal) = served.task.process_group_and_terminal()?;
        let (major, minor) = ((terminal >> 8) & 0xfff, (terminal & 0xff) | ((terminal >> 12) & 0xf_ff00));
        let path = match major {
            136..=143 => format!("/dev/pts/{}", minor + (major - 136) * 256),
            4 => format!("/dev/tty{minor}"),
            _ => return Err(Errno(libc::ENXIO)),
        };
        let fd = sys::openat(sys::ROOT, &sys::c_string(path.as_bytes())?, flags | libc::O_NOCTTY, 0)?;
        Ok(Reply::File { fd, close_on_exec })
    }

    pub(super) fn stat(&mut self, served: &Served) -> Sys<Reply> {
        let (folder, path, flags, buffer) = match served.call.name {
            "newfstatat" => (served.int(0), served.arg(1), served.int(3), served.arg(2)),
            "statx" => (served.int(0), served.arg(1), served.int(2), served.arg(4)),
            "lstat" => (libc::AT_FDCWD, served.arg(0), libc::AT_SYMLINK_NOFOLLOW, served.arg(1)),
            _ => (libc::AT_FDCWD, served.arg(0), 0, served.arg(1)),
        };
        let allowed = libc::AT_EMPTY_PATH
            | libc::AT_SYMLINK_NOFOLLOW
            | libc::AT_NO_AUTOMOUNT
            | libc::AT_STATX_FORCE_SYNC
            | libc::AT_STATX_DONT_SYNC;
        if flags & !allowed != 0 {
            return Err(Errno::INVAL);
        }
        if flags & libc::AT_EMPTY_PATH != 0 {
            // No pointer says which file is meant. Kernels that do not know this say so.
            if path == 0 {
                return Ok(Reply::Continue);
            }
            let text = served.task.string(path)?;
            if text.is_empty() {
                return self.stat_descriptor(served, folder, flags, buffer);
            }
            return self.stat_path(served, folder, &text, flags, buffer);
        }
        let text = served.task.string(path)?;
        self.stat_path(served, folder, &text, flags, buffer)
    }

    /// A descriptor's own metadata is nobody's secret: macOS asks nothing for fstat.
    fn stat_descriptor(&self, served: &Served, descriptor: i32, flags: i32, buffer: u64) -> Sys<Reply> {
        if served.call.name == "statx" {
            let walked = self.behind(served, descriptor)?;
            let found = walked.statx(flags, served.arg(3) as u32)?.ok_or(Errno::NOENT)?;
            served.task.write(buffer, &found)?;
        } else {
            let stat = served.task.stat(descriptor)?;
            self.still(served)?;
            served.task.write(buffer, sys::bytes_of(&stat))?;
        }
        Ok(Reply::Value(0))
    }

    fn stat_path(&self, served: &Served, folder: i32, path: &[u8], flags: i32, buffer: u64) -> Sys<Reply> {
        let follow = flags & libc::AT_SYMLINK_NOFOLLOW == 0;
        let mut walked = self.look_text(served, folder, path, follow)?;
        if walked.object.is_none() && walked.links.is_empty() {
            // Nothing was asked, nothing is written: a caller that is gone does not get this answer.
            return Err(Errno::NOENT);
        }
        self.still(served)?;
        self.ask_stat(served, &walked)?;
        if served.call.name != "statx" {
            served.task.write(buffer, sys::bytes_of(&walked.existing()?.stat))?;
            return Ok(Reply::Value(0));
        }
        let mask = served.arg(3) as u32;
        let found = match walked.statx(flags, mask)? {
            Some(found) => found,
            None => {
                walked = self.walk_text(served, folder, path, follow)?;
                self.ask_stat(served, &walked)?;
                walked.statx(flags, mask)?.ok_or(Errno::NOENT)?
            }
        };
        served.task.write(buffer, &found)?;
        Ok(Reply::Value(0))
    }

    fn ask_stat(&self, served: &Served, walked: &Walked) -> Sys<()> {
        if walked.object.is_none() {
            self.ask_links(served, walked)?;
        }
        walked.existing()?;
        self.ask_look(served, walked)
    }

    pub(super) fn access(&mut self, served: &Served) -> Sys<Reply> {
        let (folder, path, mode, flags) = match served.call.name {
            "access" => (libc::AT_FDCWD, served.arg(0), served.int(1), 0),
            // The older call has no flags.
            "faccessat" => (served.int(0), served.arg(1), served.int(2), 0),
            _ => (served.int(0), served.arg(1), served.int(2), served.int(3)),
        };
        if mode & !7 != 0 || flags & !(libc::AT_EACCESS | libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH) != 0 {
            return Err(Errno::INVAL);
        }
        let walked = self.look_at(served, folder, path, flags)?;
        if walked.object.is_none() {
            self.ask_links(served, &walked)?;
        }
        walked.existing()?;
        let mut operations = Vec::new();
        if mode & libc::R_OK != 0 {
            operations.push("file-read-data");
        }
        if mode & libc::W_OK != 0 {
            operations.push("file-write-data");
        }
        if operations.is_empty() {
            operations.push("file-test-existence");
        }
        for operation in operations {
            self.asker.ask_path(&served.question(operation), &walked, Kind::Existing, Vec::new())?;
        }
        walked.access(mode, flags)?;
        Ok(Reply::Value(0))
    }

    pub(super) fn readlink(&mut self, served: &Served) -> Sys<Reply> {
        let (folder, path, buffer, size) = match served.call.name {
            "readlink" => (libc::AT_FDCWD, served.arg(0), served.arg(1), served.int(2)),
            _ => (served.int(0), served.arg(1), served.arg(2), served.int(3)),
        };
        let size = usize::try_from(size).ok().filter(|size| *size > 0).ok_or(Errno::INVAL)?;
        let path = served.task.string(path)?;
        self.still(served)?;
        let walked = match path.is_empty() && served.call.name == "readlinkat" {
            true => self.behind(served, folder)?,
            false => self.look_text(served, folder, &path, false)?,
        };
        walked.existing()?;
        self.ask_look(served, &walked)?;
        let mut text = self.text_of(served, &walked)?;
        text.truncate(size);
        served.task.write(buffer, &text)?;
        Ok(Reply::Value(text.len() as i64))
    }

    pub(super) fn statfs(&mut self, served: &Served) -> Sys<Reply> {
        let walked = self.walk(served, libc::AT_FDCWD, served.arg(0), true)?;
        let object = walked.existing()?;
        self.ask_look(served, &walked)?;
        served.task.write(served.arg(1), &sys::statfs_fd(object.fd()?)?)?;
        Ok(Reply::Value(0))
    }

    /// Where the tree was moved, the folder has the name that the process knows.
    pub(super) fn getcwd(&mut self, served: &Served) -> Sys<Reply> {
        if !self.mapping.is_relocated() {
            return Ok(Reply::Continue);
        }
        let (_, host) = served.task.folder(libc::AT_FDCWD)?;
        let mut name = self.mapping.model_of(&host);
        name.push(0);
        if name.len() as u64 > served.arg(1) {
            return Err(Errno(libc::ERANGE));
        }
        self.still(served)?;
        served.task.write(served.arg(0), &name)?;
        Ok(Reply::Value(name.len() as i64))
    }

    /// A watch tells about changes, not contents.
    pub(super) fn watch(&mut self, served: &Served) -> Sys<Reply> {
        const DONT_FOLLOW: u64 = 0x0200_0000;
        let walked = self.walk(served, libc::AT_FDCWD, served.arg(1), served.arg(2) & DONT_FOLLOW == 0)?;
        let object = walked.existing()?;
        self.ask_look(served, &walked)?;
        let watcher = served.task.copy_of(served.int(0))?;
        sys::inotify_add(&watcher, object.fd()?, (served.arg(2) & !DONT_FOLLOW) as u32).map(Reply::Value)
    }
}
