//! The careful way: component by component, each held by a descriptor.

use std::os::fd::{AsRawFd, OwnedFd};

use super::{Object, Reach, Walked, Walker, Way, child};
use crate::sandbox::supervised::linux::memory::Task;
use crate::sandbox::supervised::linux::sys::{self, Errno, Sys};
use crate::sandbox::supervised::mapping::{Node, parent};

/// Most links in one walk, as Linux has it.
const MAX_LINKS: usize = 40;

/// A folder on the way.
struct Here {
    fd: OwnedFd,
    model: Vec<u8>,
    /// It exists in the model only; its descriptor is the host's root.
    above: bool,
}

impl Walker<'_> {
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

    pub(super) fn step_by_step(&self, base: Option<(OwnedFd, Vec<u8>)>, path: &[u8], way: Way) -> Sys<Walked> {
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
                    return Ok(Walked { model, links, object: None, reach: Reach::Name(here.fd, c_name), as_folder });
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
                    let model = self.model_of_name(sys::readlink(&sys::magic(object.fd()?))?, &object);
                    if left.is_empty() {
                        let object = Some(object);
                        return Ok(Walked { model, links, object, reach: Reach::Object, as_folder });
                    }
                    here = Here { fd: object.into_held()?, model, above: false };
                } else {
                    let text = sys::readlink_at(object.fd()?.as_raw_fd(), c"")?;
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
                });
            }
            if object.kind() != libc::S_IFDIR {
                return Err(Errno::NOTDIR);
            }
            here = match self.mapping.renamed(&model) {
                Some(model) => Here { fd: object.into_held()?, model: model.to_vec(), above: false },
                None => Here { fd: object.into_held()?, model, above: false },
            };
        }
        let object = Some(Object::new(here.fd)?);
        Ok(Walked { model: here.model, links, object, reach: Reach::Object, as_folder })
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
    pub(super) fn kernels_own(&self, folder: &[u8], name: &[u8]) -> Sys<Option<Vec<u8>>> {
        Ok(match (folder, name) {
            (b"/proc", b"self") => Some(self.task.group()?.to_string().into_bytes()),
            (b"/proc", b"thread-self") => {
                Some(format!("{}/task/{}", self.task.group()?, self.task.thread).into_bytes())
            }
            _ => None,
        })
    }
}

/// The process that a folder in `/proc` is about. Links there lead to things and not to names.
fn process_of(folder: &[u8]) -> Option<u32> {
    let number = folder.strip_prefix(b"/proc/")?.split(|byte| *byte == b'/').next()?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// Puts the components of `path` on top, first one first.
fn push(left: &mut Vec<Vec<u8>>, path: &[u8]) {
    let parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    left.extend(parts.rev().map(<[u8]>::to_vec));
}
