//! From a path that a process gives to a file of the host, its name in the model, and the links on the way.
//!
//! Two ways lead there. Most paths meet no link of the host: then the name follows from the path alone, and one `openat2` that
//! follows no links proves it. All others are walked component by component, each held by a descriptor.
//!
//! **Invariants:** what comes out is held by descriptors, so that later changes of names change nothing; a link of the host
//! is followed by its text, in the process's own view of names.

use std::cell::Cell;
use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};

use super::memory::Task;
use super::sys::{self, Errno, Sys};
use crate::sandbox::supervised::Mapping;
use crate::sandbox::supervised::mapping::{Node, parent};

/// Most links in one walk, as Linux has it.
const MAX_LINKS: usize = 40;

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
    descriptor: bool,
}

/// Something that exists.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) fd: OwnedFd,
    pub(super) stat: libc::stat,
}

impl Object {
    fn new(fd: OwnedFd) -> Sys<Self> {
        Ok(Self { stat: sys::stat_fd(&fd)?, fd })
    }

    pub(super) fn kind(&self) -> u32 {
        self.stat.st_mode & libc::S_IFMT
    }
}

/// How a place can be come back to.
#[derive(Debug)]
enum Reach {
    /// By a host path without links.
    Path(Vec<u8>),
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
        self.existing()?.fd.try_clone().map_err(|error| Errno(error.raw_os_error().unwrap_or(libc::EMFILE)))
    }

    /// Whether no path led here, but a descriptor that the process has.
    pub(super) fn is_descriptor(&self) -> bool {
        self.descriptor
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
            Reach::Path(path) => sys::open_without_links(&sys::c_string(path)?, flags, mode),
            Reach::Name(folder, name) => sys::openat(folder.as_raw_fd(), name, flags | libc::O_NOFOLLOW, mode),
            Reach::Object => {
                let object = self.existing()?;
                sys::openat(sys::ROOT, &sys::magic(&object.fd), flags & !libc::O_NOFOLLOW, mode)
            }
        }
    }
}

/// A folder on the way.
struct Here {
    fd: OwnedFd,
    model: Vec<u8>,
    /// It exists in the model only; its descriptor is the host's root.
    above: bool,
}

/// How a path is walked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    /// A link as last component is followed.
    pub(super) follow: bool,
}

/// Walks the paths of one task.
pub(super) struct Walker<'a> {
    pub(super) task: Task,
    pub(super) mapping: &'a Mapping,
    /// Processes whose `/proc` is none of the task's business.
    pub(super) hidden: [u32; 2],
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
            _ => Some(self.task.folder(folder)?),
        };
        let walked = match self.at_once(base.as_ref().map(|(_, host)| host.as_slice()), path, way) {
            Some(walked) => walked?,
            None => self.step_by_step(base, path, way)?,
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
        Ok(Walked { model, links: Vec::new(), object, reach: Reach::Object, as_folder: false, descriptor: true })
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
        let as_folder = path.ends_with(b"/") || path.ends_with(b"/.");
        let mut model = base.map_or_else(|| b"/".to_vec(), |host| self.mapping.model_of(host));
        let mut host = base.map_or_else(|| b"/".to_vec(), <[u8]>::to_vec);
        let mut links = Vec::new();
        let mut left = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").peekable();
        while let Some(name) = left.next() {
            if name == b".." {
                return None;
            }
            let mut next = child(&model, name);
            if self.mapping.is_refolded(&next) || self.mapping.renamed(&next).is_some() {
                return None;
            }
            if (left.peek().is_some() || way.follow || as_folder)
                && let Some(end) = self.mapping.shortcut(&next)
            {
                links.push(next);
                next = end?.to_vec();
            }
            match self.mapping.node(&next) {
                Node::Host(folder) => host = folder.to_vec(),
                Node::Above => return None,
                Node::Plain => host = child(&host, name),
            }
            model = next;
        }
        let nofollow = if way.follow || as_folder { 0 } else { libc::O_NOFOLLOW };
        let opened = sys::open_without_links(&sys::c_string(&host).ok()?, libc::O_PATH | nofollow, 0);
        match opened {
            Ok(fd) => Some(Object::new(fd).and_then(|object| {
                if as_folder && object.kind() != libc::S_IFDIR {
                    return Err(Errno::NOTDIR);
                }
                Ok(Walked {
                    model,
                    links,
                    object: Some(object),
                    reach: Reach::Path(host),
                    as_folder,
                    descriptor: false,
                })
            })),
            // Nothing is there, though its folder is: the usual answer to searches.
            Err(Errno::NOENT) => {
                let folder = sys::c_string(parent(&host)?).ok()?;
                sys::open_without_links(&folder, libc::O_PATH | libc::O_DIRECTORY, 0).ok()?;
                Some(Ok(Walked { model, links, object: None, reach: Reach::Path(host), as_folder, descriptor: false }))
            }
            Err(_) => None,
        }
    }

    fn root(&self) -> Sys<Here> {
        Ok(Here {
            fd: sys::openat(sys::ROOT, c"/", libc::O_PATH | libc::O_DIRECTORY, 0)?,
            model: b"/".to_vec(),
            above: false,
        })
    }

    /// The host's folder of a canonical model path.
    fn folder(&self, model: &[u8]) -> Sys<Here> {
        if self.mapping.node(model) == Node::Above {
            return Ok(Here { model: model.to_vec(), above: true, ..self.root()? });
        }
        let host = sys::c_string(&self.mapping.host_of(model))?;
        let fd = sys::openat(sys::ROOT, &host, libc::O_PATH | libc::O_DIRECTORY, 0)?;
        Ok(Here { fd, model: model.to_vec(), above: false })
    }

    fn up(&self, here: Here) -> Sys<Here> {
        let Some(above) = parent(&here.model).filter(|_| !here.above) else { return self.root() };
        match self.mapping.node(&here.model) {
            Node::Host(_) => self.folder(above),
            _ => {
                let fd = sys::openat(here.fd.as_raw_fd(), c"..", libc::O_PATH | libc::O_DIRECTORY, 0)?;
                Ok(Here { fd, model: above.to_vec(), above: self.mapping.node(above) == Node::Above })
            }
        }
    }

    fn step_by_step(&self, base: Option<(OwnedFd, Vec<u8>)>, path: &[u8], way: Way) -> Sys<Walked> {
        let mut here = match base {
            Some((fd, host)) => Here { fd, model: self.mapping.model_of(&host), above: false },
            None => self.root()?,
        };
        let mut left: Vec<Vec<u8>> = Vec::new();
        push(&mut left, path);
        let as_folder = path.ends_with(b"/") || path.ends_with(b"/.") || path.ends_with(b"/..");
        let follow = way.follow || as_folder;
        let mut links = Vec::new();
        let mut followed = 0;
        while let Some(name) = left.pop() {
            if name == b".." {
                here = self.up(here)?;
                continue;
            }
            let mut model = child(&here.model, &name);
            let mut name = name;
            if here.above && self.mapping.node(&model) == Node::Plain && !self.mapping.is_refolded(&model) {
                // A folder that only the model has holds, besides what is mapped, nothing: the host's root shows through.
                here = self.root()?;
                model = child(b"/", &name);
            }
            if let Some(canonical) = self.mapping.refold(&model) {
                here = self.folder(parent(&canonical).unwrap_or(b"/"))?;
                name = canonical.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec();
                model = canonical;
            }
            let follows = !left.is_empty() || follow;
            if follows && let Some(text) = self.mapping.world().link_at(&model) {
                followed += 1;
                let text = text.to_vec();
                here = self.after_link(here, &text, followed, &mut left)?;
                links.push(model);
                continue;
            }
            match self.mapping.node(&model) {
                Node::Plain => {}
                _ => {
                    here = self.folder(&model)?;
                    continue;
                }
            }
            let c_name = sys::c_string(&name)?;
            let found = sys::openat(here.fd.as_raw_fd(), &c_name, libc::O_PATH | libc::O_NOFOLLOW, 0);
            let object = match found {
                Err(Errno::NOENT) if left.is_empty() => {
                    return Ok(Walked {
                        model,
                        links,
                        object: None,
                        reach: Reach::Name(here.fd, c_name),
                        as_folder,
                        descriptor: false,
                    });
                }
                other => Object::new(other?)?,
            };
            if object.kind() == libc::S_IFLNK && follows {
                followed += 1;
                if followed > MAX_LINKS {
                    return Err(Errno::LOOP);
                }
                if let Some(text) = self.kernels_own(&here.model, &name)? {
                    here = self.after_link(here, &text, followed, &mut left)?;
                } else if let Some(process) = process_of(&here.model) {
                    if (Task { thread: process }).group() != self.task.group() {
                        self.through.set(Some(process));
                    }
                    let fd = sys::openat(here.fd.as_raw_fd(), &c_name, libc::O_PATH, 0)?;
                    let object = Object::new(fd)?;
                    let model = self.model_of_name(sys::readlink(&sys::magic(&object.fd))?, &object);
                    if left.is_empty() {
                        let object = Some(object);
                        return Ok(Walked { model, links, object, reach: Reach::Object, as_folder, descriptor: false });
                    }
                    here = Here { fd: object.fd, model, above: false };
                } else {
                    let text = sys::readlink_at(object.fd.as_raw_fd(), c"")?;
                    if !self.mapping.is_silent(&model) {
                        links.push(model);
                    }
                    here = self.after_link(here, &text, followed, &mut left)?;
                }
                continue;
            }
            if left.is_empty() {
                if as_folder && object.kind() != libc::S_IFDIR {
                    return Err(Errno::NOTDIR);
                }
                return Ok(Walked {
                    model,
                    links,
                    object: Some(object),
                    reach: Reach::Name(here.fd, c_name),
                    as_folder,
                    descriptor: false,
                });
            }
            if object.kind() != libc::S_IFDIR {
                return Err(Errno::NOTDIR);
            }
            here = match self.mapping.renamed(&model) {
                Some(model) => Here { fd: object.fd, model: model.to_vec(), above: false },
                None => Here { fd: object.fd, model, above: false },
            };
        }
        let object = Some(Object::new(here.fd)?);
        Ok(Walked { model: here.model, links, object, reach: Reach::Object, as_folder, descriptor: false })
    }

    /// Goes on behind a link that holds `text`.
    fn after_link(&self, here: Here, text: &[u8], followed: usize, left: &mut Vec<Vec<u8>>) -> Sys<Here> {
        if followed > MAX_LINKS {
            return Err(Errno::LOOP);
        }
        if text.is_empty() {
            return Err(Errno::NOENT);
        }
        push(left, text);
        if text.first() == Some(&b'/') { self.root() } else { Ok(here) }
    }

    /// What `/proc/self` and `/proc/thread-self` hold for the task: the kernel would tell the supervisor's own numbers.
    fn kernels_own(&self, folder: &[u8], name: &[u8]) -> Sys<Option<Vec<u8>>> {
        Ok(match (folder, name) {
            (b"/proc", b"self") => Some(self.task.group()?.to_string().into_bytes()),
            (b"/proc", b"thread-self") => {
                Some(format!("{}/task/{}", self.task.group()?, self.task.thread).into_bytes())
            }
            _ => None,
        })
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
        let text = sys::readlink_at(object.fd.as_raw_fd(), c"")?;
        let magic = walked.model.starts_with(b"/proc/") && text.first() == Some(&b'/');
        // Where the tree was moved, descriptors tell the names that the process knows.
        Ok(if magic && self.mapping.is_relocated() { self.mapping.model_of(&text) } else { text })
    }
}

/// The process that a folder in `/proc` is about. Links there lead to things and not to names.
fn process_of(folder: &[u8]) -> Option<u32> {
    let number = folder.strip_prefix(b"/proc/")?.split(|byte| *byte == b'/').next()?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

fn task_path(pid: u32) -> CString {
    // Numbers and literals hold no NUL.
    CString::new(format!("/proc/self/task/{pid}")).unwrap_or_default()
}

/// Puts the components of `path` on top, first one first.
fn push(left: &mut Vec<Vec<u8>>, path: &[u8]) {
    let parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    left.extend(parts.rev().map(<[u8]>::to_vec));
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
