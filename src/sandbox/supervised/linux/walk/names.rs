//! What a path says by itself: its name in the model, the host's path for it, and the model's links on the way.

use std::ffi::CString;

use super::{Walker, Way, child};
use crate::sandbox::supervised::linux::sys::{Errno, Sys};
use crate::sandbox::supervised::mapping::Node;

/// A path that was understood without asking the host.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) model: Vec<u8>,
    pub(super) host: CString,
    /// Links of the model that are asked about.
    pub(super) links: Vec<Vec<u8>>,
    pub(super) as_folder: bool,
}

/// Model, host and links.
type Mapped = (Vec<u8>, Vec<u8>, Vec<Vec<u8>>);

impl Walker<'_> {
    /// The names of `path`, relative to the host's folder `base`; `None` where the host's tree must be looked at (`..`, other spellings).
    pub(super) fn names(&self, base: Option<&[u8]>, path: &[u8], way: Way) -> Option<Sys<Names>> {
        let as_folder = path.ends_with(b"/") || path.ends_with(b"/.");
        let parts = || path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
        let plain = match base {
            Some(host) => self.mapping.is_plain_below(host),
            None => self.mapping.is_plain_below(path),
        };
        let (model, host, links) = if plain {
            let mut host = Vec::with_capacity(base.map_or(0, <[u8]>::len) + path.len() + 2);
            host.extend_from_slice(base.unwrap_or_default());
            for part in parts() {
                if part == b".." {
                    return None;
                }
                host.push(b'/');
                host.extend_from_slice(part);
            }
            (host.clone(), host, Vec::new())
        } else {
            self.mapped(base, parts(), way.follow || as_folder)?
        };
        let host = CString::new(host).map_err(|_| Errno::INVAL);
        Some(host.map(|host| Names { model, host, links, as_folder }))
    }

    /// The same for a path that meets names of the mapping.
    fn mapped<'p>(&self, base: Option<&[u8]>, parts: impl Iterator<Item = &'p [u8]>, follow: bool) -> Option<Mapped> {
        let mut model = base.map_or_else(|| b"/".to_vec(), |host| self.mapping.model_of(host));
        let mut host = base.map_or_else(|| b"/".to_vec(), <[u8]>::to_vec);
        let mut links = Vec::new();
        let mut left = parts.peekable();
        while let Some(name) = left.next() {
            if name == b".." {
                return None;
            }
            let mut next = child(&model, name);
            if self.mapping.is_refolded(&next) || self.mapping.renamed(&next).is_some() {
                return None;
            }
            if (left.peek().is_some() || follow)
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
        Some((model, host, links))
    }
}
