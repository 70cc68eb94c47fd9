//! Making, removing and moving names.

use super::super::ask::Kind;
use super::super::notify::Reply;
use super::super::run::{Run, Served};
use super::super::sys::{self, Errno, Sys};
use super::super::walk::Walked;
use std::os::fd::AsRawFd;

impl Run<'_> {
    pub(super) fn unlink(&mut self, served: &Served) -> Sys<Reply> {
        let (folder, path, flags) = match served.call.name {
            "unlinkat" => (served.int(0), served.arg(1), served.int(2)),
            "rmdir" => (libc::AT_FDCWD, served.arg(0), libc::AT_REMOVEDIR),
            _ => (libc::AT_FDCWD, served.arg(0), 0),
        };
        if flags & !libc::AT_REMOVEDIR != 0 {
            return Err(Errno::INVAL);
        }
        let walked = self.walk(served, folder, path, false)?;
        self.ask_name(served, "file-write-unlink", &walked)?;
        let (place, name) = walked.place()?;
        sys::unlink_at(&place, &name, flags)?;
        Ok(Reply::Value(0))
    }

    /// Asks about a name that exists; of one that does not, only about the links on the way.
    fn ask_name(&self, served: &Served, operation: &str, walked: &Walked) -> Sys<()> {
        if walked.object.is_none() {
            self.ask_links(served, walked)?;
        }
        walked.existing()?;
        self.asker.ask_path(&served.question(operation), walked, Kind::Existing, Vec::new())
    }

    /// Asks about a name that is about to be made.
    fn ask_new(&self, served: &Served, walked: &Walked, mode: u32) -> Sys<()> {
        self.asker.ask_path(&served.question("file-write-create"), walked, Kind::New(mode), Vec::new())
    }

    /// The place of a new name: nothing may be there yet.
    fn new_name(&self, served: &Served, folder: i32, path: u64) -> Sys<Walked> {
        let walked = self.walk(served, folder, path, false)?;
        if walked.object.is_some() {
            self.ask_links(served, &walked)?;
            return Err(Errno(libc::EEXIST));
        }
        Ok(walked)
    }

    pub(super) fn rename(&mut self, served: &Served) -> Sys<Reply> {
        const WHITEOUT: i32 = 4;
        const EXCHANGE: i32 = 2;
        let (from, old, to, new, flags) = match served.call.name {
            "rename" => (libc::AT_FDCWD, served.arg(0), libc::AT_FDCWD, served.arg(1), 0),
            name => {
                let flags = if name == "renameat2" { served.int(4) } else { 0 };
                (served.int(0), served.arg(1), served.int(2), served.arg(3), flags)
            }
        };
        if flags & WHITEOUT != 0 {
            return Err(Errno::PERM);
        }
        let old = self.walk(served, from, old, false)?;
        let new = self.walk(served, to, new, false)?;
        self.ask_name(served, "file-write-unlink", &old)?;
        let mode = old.existing()?.stat.st_mode;
        if flags & EXCHANGE != 0 {
            self.ask_new(served, &old, new.existing()?.stat.st_mode)?;
        }
        if new.object.is_some() {
            self.asker.ask_path(&served.question("file-write-unlink"), &new, Kind::Existing, Vec::new())?;
        }
        self.ask_new(served, &new, mode)?;
        let ((old_place, old_name), (new_place, new_name)) = (old.place()?, new.place()?);
        sys::rename_at((&old_place, &old_name), (&new_place, &new_name), flags as u32)?;
        Ok(Reply::Value(0))
    }

    pub(super) fn link(&mut self, served: &Served) -> Sys<Reply> {
        let (from, old, to, new, flags) = match served.call.name {
            "link" => (libc::AT_FDCWD, served.arg(0), libc::AT_FDCWD, served.arg(1), 0),
            _ => (served.int(0), served.arg(1), served.int(2), served.arg(3), served.int(4)),
        };
        if flags & !(libc::AT_SYMLINK_FOLLOW | libc::AT_EMPTY_PATH) != 0 {
            return Err(Errno::INVAL);
        }
        let nofollow = if flags & libc::AT_SYMLINK_FOLLOW == 0 { libc::AT_SYMLINK_NOFOLLOW } else { 0 };
        let old = self.walk_at(served, from, old, nofollow | (flags & libc::AT_EMPTY_PATH))?;
        let new = self.new_name(served, to, new)?;
        self.ask_name(served, "file-link", &old)?;
        let object = old.existing()?;
        self.ask_new(served, &new, object.stat.st_mode)?;
        let (place, name) = new.place()?;
        // The very file that was judged, whatever its name stands for by now. A symbolic link has no such path: its own
        // name is taken.
        if object.kind() == libc::S_IFLNK {
            let (old_place, old_name) = old.place()?;
            sys::link_at((old_place.as_raw_fd(), &old_name), (&place, &name), 0)?;
        } else {
            sys::link_at((sys::ROOT, &sys::magic(object.fd()?)), (&place, &name), libc::AT_SYMLINK_FOLLOW)?;
        }
        Ok(Reply::Value(0))
    }

    pub(super) fn symlink(&mut self, served: &Served) -> Sys<Reply> {
        let (text, folder, path) = match served.call.name {
            "symlink" => (served.arg(0), libc::AT_FDCWD, served.arg(1)),
            _ => (served.arg(0), served.int(1), served.arg(2)),
        };
        let text = sys::c_string(&served.task.string(text)?)?;
        let walked = self.new_name(served, folder, path)?;
        self.ask_new(served, &walked, libc::S_IFLNK | 0o777)?;
        let (place, name) = walked.place()?;
        sys::symlink_at(&text, &place, &name)?;
        Ok(Reply::Value(0))
    }

    pub(super) fn mkdir(&mut self, served: &Served) -> Sys<Reply> {
        let (folder, path, mode) = match served.call.name {
            "mkdir" => (libc::AT_FDCWD, served.arg(0), served.arg(1) as u32),
            _ => (served.int(0), served.arg(1), served.arg(2) as u32),
        };
        let walked = self.new_name(served, folder, path)?;
        let mode = mode & 0o7777 & !served.task.umask()?;
        self.ask_new(served, &walked, libc::S_IFDIR | mode)?;
        let (place, name) = walked.place()?;
        sys::mkdir_at(&place, &name, mode)?;
        Ok(Reply::Value(0))
    }

    pub(super) fn mknod(&mut self, served: &Served) -> Sys<Reply> {
        let (folder, path, mode, device) = match served.call.name {
            "mknod" => (libc::AT_FDCWD, served.arg(0), served.arg(1) as u32, served.arg(2)),
            _ => (served.int(0), served.arg(1), served.arg(2) as u32, served.arg(3)),
        };
        let walked = self.new_name(served, folder, path)?;
        let kind = if mode & libc::S_IFMT == 0 { libc::S_IFREG } else { mode & libc::S_IFMT };
        let mode = kind | (mode & 0o7777 & !served.task.umask()?);
        let operation = match kind {
            libc::S_IFCHR | libc::S_IFBLK => "file-mknod",
            _ => "file-write-create",
        };
        self.asker.ask_path(&served.question(operation), &walked, Kind::New(mode), Vec::new())?;
        self.ask_setugid(served, &walked, mode)?;
        let (place, name) = walked.place()?;
        sys::mknod_at(&place, &name, mode, device)?;
        Ok(Reply::Value(0))
    }
}
