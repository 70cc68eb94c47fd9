//! From a path that a process gives to a file of the host, its name in the model, and the links on the way.
//!
//! Two ways lead there. Most paths meet no link of the host: then the name follows from the path alone ([`names`]), and one `openat2`
//! that follows no links proves it; or, for who only looks, the folder is at hand ([`Kept`]). All others are walked component by
//! component, each held by a descriptor ([`steps`]).
//!
//! **Invariants:** what comes out is held by descriptors, so that later changes of names change nothing; a link of the host
//! is followed by its text, in the process's own view of names.

mod names;
mod steps;

use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, OwnedFd};

use super::kept::Kept;
use super::memory::Task;
use super::sys::{self, Errno, Sys};
use crate::sandbox::supervised::Mapping;
use crate::sandbox::supervised::mapping::parent;
use names::Names;

/// Where a path leads.
#[derive(Debug)]
pub(super) struct Walked {
    /// Its name in the model. Of things without a path (pipes, deleted files): what the kernel calls them.
    pub(super) model: Vec<u8>,
    /// The links on the way that are asked about, by their own names.
    pub(super) links: Vec<Vec<u8>>,
    /// The thing itself (`O_PATH`), when it exists.
    pub(super) object: Option<Object>,
    reach: Reach,
    /// The path ends with `/`.
    pub(super) as_folder: bool,
}

/// Something that exists.
#[derive(Debug)]
pub(super) struct Object {
    /// None: it was only looked at.
    held: Option<OwnedFd>,
    pub(super) stat: libc::stat,
}

impl Object {
    fn new(fd: OwnedFd) -> Sys<Self> {
        Ok(Self { stat: sys::stat_fd(&fd)?, held: Some(fd) })
    }

    /// The thing itself. What [`Way::look`] found has no descriptor; who acts on things does not walk so.
    pub(super) fn fd(&self) -> Sys<&OwnedFd> {
        self.held.as_ref().ok_or(Errno(libc::EBADF))
    }

    fn into_held(self) -> Sys<OwnedFd> {
        self.held.ok_or(Errno(libc::EBADF))
    }

    pub(super) fn kind(&self) -> u32 {
        self.stat.st_mode & libc::S_IFMT
    }
}

/// How a place can be come back to.
#[derive(Debug)]
enum Reach {
    /// By a host path without links.
    Path(CString),
    /// By its name in a folder.
    Name(OwnedFd, CString),
    /// By its descriptor only.
    Object,
}

impl Walked {
    /// What exists there.
    pub(super) fn existing(&self) -> Sys<&Object> {
        self.object.as_ref().ok_or(Errno::NOENT)
    }

    /// A descriptor of the very thing that was walked to, to keep.
    pub(super) fn held(&self) -> Sys<OwnedFd> {
        self.existing()?.fd()?.try_clone().map_err(|error| Errno(error.raw_os_error().unwrap_or(libc::EMFILE)))
    }

    /// The name in the thread's folder of what was only looked at there. To be used before anything else is walked to.
    fn name_here(&self) -> Sys<&CStr> {
        let Reach::Path(path) = &self.reach else { return Err(Errno(libc::EBADF)) };
        let path = path.to_bytes_with_nul();
        let start = memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1);
        CStr::from_bytes_with_nul(path.get(start..).unwrap_or_default()).map_err(|_| Errno::INVAL)
    }

    /// `statx` of it; `None` when its name has come to mean something else since it was looked at.
    pub(super) fn statx(&self, flags: i32, mask: u32) -> Sys<Option<[u8; 256]>> {
        let object = self.existing()?;
        if let Ok(fd) = object.fd() {
            return sys::statx_fd(fd, flags, mask).map(Some);
        }
        let found = sys::statx_here(self.name_here()?, flags, mask)?;
        Ok((sys::identity_in(&found) == (object.stat.st_dev, object.stat.st_ino, object.stat.st_mode)).then_some(found))
    }

    /// Whether the supervisor may access it so. Of what was only looked at, the name counts.
    pub(super) fn access(&self, mode: i32, flags: i32) -> Sys<()> {
        match self.existing()?.fd() {
            Ok(fd) => sys::access_fd(fd, mode, flags),
            // It was found.
            Err(_) if mode == libc::F_OK => Ok(()),
            Err(_) => sys::access_here(self.name_here()?, mode, flags),
        }
    }

    /// What the link holds. Of what was only looked at, the name counts.
    fn link_text(&self) -> Sys<Vec<u8>> {
        match self.existing()?.fd() {
            Ok(fd) => sys::readlink_at(fd.as_raw_fd(), c""),
            Err(_) => sys::readlink_at(sys::ROOT, self.name_here()?),
        }
    }

    /// Whether it has a name, and so can be asked about.
    pub(super) fn is_named(&self) -> bool {
        self.model.first() == Some(&b'/')
    }

    /// Its folder and its name there, for calls that change names.
    pub(super) fn place(&self) -> Sys<(OwnedFd, CString)> {
        match &self.reach {
            Reach::Name(folder, name) => {
                let folder = folder.try_clone().map_err(|error| Errno(error.raw_os_error().unwrap_or(libc::EMFILE)))?;
                Ok((folder, name.clone()))
            }
            Reach::Path(path) => {
                let path = path.as_bytes();
                let folder = parent(path).ok_or(Errno(libc::EBUSY))?;
                let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
                let flags = libc::O_PATH | libc::O_DIRECTORY;
                Ok((sys::open_without_links(&sys::c_string(folder)?, flags, 0)?, sys::c_string(name)?))
            }
            Reach::Object => Err(Errno(libc::EBUSY)),
        }
    }

    /// Opens it. A link that has come to stand there since is not followed.
    pub(super) fn open(&self, flags: i32, mode: u32) -> Sys<OwnedFd> {
        let flags = match flags & libc::O_PATH {
            0 => flags | libc::O_NOCTTY,
            // The kernel passes over all others.
            _ => flags & (libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW),
        };
        match &self.reach {
            Reach::Path(path) => sys::open_without_links(path, flags, mode),
            Reach::Name(folder, name) => sys::openat(folder.as_raw_fd(), name, flags | libc::O_NOFOLLOW, mode),
            Reach::Object => {
                let object = self.existing()?;
                sys::openat(sys::ROOT, &sys::magic(object.fd()?), flags & !libc::O_NOFOLLOW, mode)
            }
        }
    }
}

/// How a path is walked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    /// A link as last component is followed.
    pub(super) follow: bool,
    /// Only what it is matters: where that is cheaper, the thing is not held by a descriptor.
    pub(super) look: bool,
}

/// Walks the paths of one task.
pub(super) struct Walker<'a> {
    pub(super) task: Task,
    pub(super) mapping: &'a Mapping,
    /// Processes whose `/proc` is none of the task's business.
    pub(super) hidden: [u32; 2],
    pub(super) kept: &'a Kept,
    /// Another process whose folder, descriptor or program a walk has led through.
    pub(super) through: Cell<Option<u32>>,
}

impl Walker<'_> {
    /// Where `path`, relative to `folder`, leads.
    pub(super) fn walk(&self, folder: i32, path: &[u8], way: Way) -> Sys<Walked> {
        if path.is_empty() {
            return Err(Errno::NOENT);
        }
        let base = match path.first() {
            Some(b'/') => None,
            _ => Some(self.task.folder_name(folder)?),
        };
        // The name of something that is no folder of the tree is no path.
        let plain = base.as_ref().is_none_or(|host| host.starts_with(b"/"));
        let walked = match plain.then(|| self.at_once(base.as_deref(), path, way)).flatten() {
            Some(walked) => walked?,
            None => self.step_by_step(base.map(|_| self.task.folder(folder)).transpose()?, path, way)?,
        };
        self.check(&walked)?;
        Ok(walked)
    }

    /// The thing behind a descriptor, as if it were walked to.
    pub(super) fn behind(&self, descriptor: i32) -> Sys<Walked> {
        let (fd, name) = self.task.behind(descriptor)?;
        let object = Object::new(fd)?;
        let model = self.model_of_name(name, &object);
        let object = Some(object);
        Ok(Walked { model, links: Vec::new(), object, reach: Reach::Object, as_folder: false })
    }

    /// The kernel's name of a thing as the model's.
    fn model_of_name(&self, name: Vec<u8>, object: &Object) -> Vec<u8> {
        match name.first() {
            // A name that ends so may also be a name.
            Some(b'/') if object.stat.st_nlink == 0 && name.ends_with(b" (deleted)") => {
                name.get(1..).unwrap_or_default().to_vec()
            }
            Some(b'/') => self.mapping.model_of(&name),
            _ => name,
        }
    }

    /// Nobody looks into the supervisor or its keeper.
    fn check(&self, walked: &Walked) -> Sys<()> {
        let Some(rest) = walked.model.strip_prefix(b"/proc/") else { return Ok(()) };
        let number = rest.split(|byte| *byte == b'/').next().unwrap_or_default();
        let Some(pid) = std::str::from_utf8(number).ok().and_then(|text| text.parse::<u32>().ok()) else {
            return Ok(());
        };
        let ours = || sys::openat(sys::ROOT, &task_path(pid), libc::O_PATH, 0).is_ok();
        if self.hidden.contains(&pid) || ours() { Err(Errno(libc::EACCES)) } else { Ok(()) }
    }

    /// The way of paths that meet no link of the host; `None` for all others, and for errors other than that nothing is there.
    fn at_once(&self, base: Option<&[u8]>, path: &[u8], way: Way) -> Option<Sys<Walked>> {
        let names = match self.names(base, path, way)? {
            Ok(names) => names,
            Err(error) => return Some(Err(error)),
        };
        let follow = way.follow || names.as_folder;
        let looked = way.look.then(|| self.look(&names.host, follow)).flatten();
        let found = match looked {
            Some(found) => found,
            None => self.hold(&names.host, follow)?,
        };
        let Names { model, host, links, as_folder } = names;
        if as_folder && found.as_ref().is_some_and(|object| object.kind() != libc::S_IFDIR) {
            return Some(Err(Errno::NOTDIR));
        }
        Some(Ok(Walked { model, links, object: found, reach: Reach::Path(host), as_folder }))
    }

    /// What is at a host path, as a descriptor; `None` within when its folder is there and it is not: the usual answer to searches.
    fn hold(&self, host: &CStr, follow: bool) -> Option<Option<Object>> {
        let nofollow = if follow { 0 } else { libc::O_NOFOLLOW };
        match sys::open_without_links(host, libc::O_PATH | nofollow, 0) {
            Ok(fd) => Object::new(fd).ok().map(Some),
            Err(Errno::NOENT) => {
                let folder = sys::c_string(parent(host.to_bytes())?).ok()?;
                sys::open_without_links(&folder, libc::O_PATH | libc::O_DIRECTORY, 0).ok().map(|_| None)
            }
            Err(_) => None,
        }
    }

    /// The same without a descriptor, when its folder is at hand.
    fn look(&self, host: &CStr, follow: bool) -> Option<Option<Object>> {
        let path = host.to_bytes_with_nul();
        let end = memchr::memrchr(b'/', path)?;
        let folder = if end == 0 { b"/" } else { path.get(..end)? };
        let name = CStr::from_bytes_with_nul(path.get(end + 1..)?).ok().filter(|name| !name.is_empty())?;
        if !self.kept.is_in(folder) {
            return None;
        }
        match sys::stat_here(name) {
            Ok(stat) if follow && stat.st_mode & libc::S_IFMT == libc::S_IFLNK => None,
            Ok(stat) => Some(Some(Object { held: None, stat })),
            Err(Errno::NOENT) => Some(None),
            Err(_) => None,
        }
    }

    /// What the link `walked` holds, as the task may see it.
    pub(super) fn text_of(&self, walked: &Walked) -> Sys<Vec<u8>> {
        let object = walked.existing()?;
        if let (Some(folder), Some(name)) = (parent(&walked.model), walked.model.rsplit(|byte| *byte == b'/').next())
            && let Some(text) = self.kernels_own(folder, name)?
        {
            return Ok(text);
        }
        if object.kind() != libc::S_IFLNK {
            // Asked by descriptor, the kernel would say that nothing is there.
            return Err(Errno::INVAL);
        }
        let text = walked.link_text()?;
        let magic = walked.model.starts_with(b"/proc/") && text.first() == Some(&b'/');
        // Where the tree was moved, descriptors tell the names that the process knows.
        Ok(if magic && self.mapping.is_relocated() { self.mapping.model_of(&text) } else { text })
    }
}

fn task_path(pid: u32) -> CString {
    // Numbers and literals hold no NUL.
    CString::new(format!("/proc/self/task/{pid}")).unwrap_or_default()
}

/// `folder` and `name` as one path.
fn child(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let folder = if folder == b"/" { b"" } else { folder };
    [folder, b"/", name].concat()
}

#[cfg(test)]
mod tests {
    use super::child;

    #[test]
    fn the_root_is_no_component() {
        assert_eq!(child(b"/", b"a"), b"/a");
        assert_eq!(child(b"/a", b"b"), b"/a/b");
    }
}
