//! Names: what a path of the host is called in the model that a profile speaks of.
//!
//! A process sees the host's tree. Profiles are written for macOS, where `/tmp` is a link to `/private/tmp`. So the model has the
//! links of a [`World`], and what such a link leads to *is* the host's folder of the link's name: host `/tmp/x` is judged as
//! `/private/tmp/x`, reached through the link `/tmp`; `/private/tmp/x` names the same file without the link. A model prefix can
//! also be relocated into any host folder; fixture trees of plans are.
//!
//! Links that exist on the host only and stand directly in `/` (`/bin`, `/lib` …), or that the kernel makes (`/proc`, `/dev`), are
//! followed in silence: macOS has no such links, and nobody is asked about them.
//!
//! **Invariants:** a file has one canonical name in the model, however it is reached, links of file systems aside.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::decide::World;

/// Names of the model for files of the host, and back.
#[derive(Debug, Clone)]
pub struct Mapping {
    world: World,
    /// Model folder to host folder, where they differ.
    points: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Folders above those, which the host need not have; folded where the world folds case.
    above: BTreeSet<Vec<u8>>,
    /// Where the world's links end, by their folded names; `None` when other links are on the way there.
    shortcuts: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// The longest name in `above` and in `shortcuts`.
    longest: usize,
    /// Host folders that things were relocated to, by the name that they would have in the model; and the one that they have.
    renamed: BTreeMap<Vec<u8>, Vec<u8>>,
    /// First components of all names above, of either side.
    heads: Vec<Vec<u8>>,
}

/// What stands at a path of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node<'m> {
    /// A host folder of another name.
    Host(&'m [u8]),
    /// A folder above such a one.
    Above,
    /// What the host has there.
    Plain,
}

impl Mapping {
    /// macOS-shaped names over the host's tree, in the built-in world.
    pub fn host() -> Self {
        Self::in_world(World::macos_14())
    }

    /// Names of another world over the host's tree.
    pub fn in_world(world: World) -> Self {
        let mut shortcuts = BTreeMap::new();
        let mut ends = Vec::new();
        for (link, _) in world.symlinks() {
            let Ok(end) = world.resolve(link, true) else { continue };
            ends.push((end.path.clone(), link.to_vec()));
            let direct = end.links().count() == 1;
            shortcuts.insert(link.to_vec(), direct.then_some(end.path));
        }
        let longest = shortcuts.keys().map(Vec::len).max().unwrap_or(0);
        let (points, above, renamed) = Default::default();
        let mut mapping = Self { world, points, above, shortcuts, longest, renamed, heads: Vec::new() };
        for (model, host) in ends {
            mapping.add(model, host);
        }
        let others: Vec<Vec<u8>> = mapping.world.firmlinks().map(|(_, other)| other.to_vec()).collect();
        for other in others {
            mapping.add_above(&other);
            mapping.note_above(&other);
        }
        mapping.note_heads();
        mapping
    }

    /// Puts the model's folder `model` (a canonical path, as `/private/tmp`) into the host's folder `host`.
    #[must_use]
    pub fn relocate(mut self, model: &Path, host: &Path) -> Self {
        use std::os::unix::ffi::OsStrExt;
        let model = self.world.resolve(model.as_os_str().as_bytes(), true).map(|resolved| resolved.path);
        if let Ok(model) = model {
            let host = host.as_os_str().as_bytes().to_vec();
            self.renamed.insert(self.model_of(&host), model.clone());
            self.add(model, host);
            self.note_heads();
        }
        self
    }

    fn add(&mut self, model: Vec<u8>, host: Vec<u8>) {
        self.add_above(&model);
        self.points.insert(model, host);
    }

    fn add_above(&mut self, model: &[u8]) {
        let mut next = parent(model);
        while let Some(path) = next.filter(|path| *path != b"/") {
            self.note_above(path);
            next = parent(path);
        }
    }

    fn note_above(&mut self, model: &[u8]) {
        let folded = self.folded(model).into_owned();
        self.longest = self.longest.max(folded.len());
        self.above.insert(folded);
    }

    fn note_heads(&mut self) {
        let points = self.points.iter().flat_map(|(model, host)| [model, host]);
        let renamed = self.renamed.iter().flat_map(|(one, other)| [one, other]);
        let names = points.chain(renamed).chain(&self.above).chain(self.shortcuts.keys()).map(Vec::as_slice);
        let names = names.chain(self.world.firmlinks().flat_map(|(one, other)| [one, other]));
        let heads: BTreeSet<Vec<u8>> = names.filter_map(head).map(<[u8]>::to_ascii_lowercase).collect();
        self.heads = heads.into_iter().collect();
    }

    /// Whether everything in the folder of the root that `path` begins with has the same name on the host and in the model, and no link
    /// of the model is there.
    pub fn is_plain_below(&self, path: &[u8]) -> bool {
        head(path).is_some_and(|head| head != b".." && !self.heads.iter().any(|known| known.eq_ignore_ascii_case(head)))
    }

    /// The links and firmlinks of the model.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Whether some folder stands elsewhere than its name or the world's links say.
    pub fn is_relocated(&self) -> bool {
        !self.renamed.is_empty()
    }

    /// Where the world's link at `model` ends: `None` when there is no link, `Some(None)` when other links are on the way.
    pub fn shortcut(&self, model: &[u8]) -> Option<Option<&[u8]>> {
        if model.len() > self.longest {
            return None;
        }
        self.shortcuts.get(self.folded(model).as_ref()).map(Option::as_deref)
    }

    /// The canonical name of a path below the other spelling of a firmlink.
    pub fn refold(&self, model: &[u8]) -> Option<Vec<u8>> {
        if self.is_refolded(model) { self.world.unfold(model) } else { None }
    }

    /// Whether `model` is, leads to, or is below the other spelling of a firmlink.
    pub fn is_refolded(&self, model: &[u8]) -> bool {
        self.world.firmlinks().any(|(_, other)| {
            let length = model.len().min(other.len());
            let heads = (model.get(..length).unwrap_or_default(), other.get(..length).unwrap_or_default());
            let ends = [model, other].map(|path| path.get(length).is_none_or(|byte| *byte == b'/'));
            heads.0.eq_ignore_ascii_case(heads.1) && ends == [true, true] && model != b"/"
        })
    }

    /// The name in the model of a host folder that something was relocated to, met under another name.
    pub fn renamed(&self, model: &[u8]) -> Option<&[u8]> {
        self.renamed.get(model).map(Vec::as_slice)
    }

    /// What stands at `model`.
    pub fn node(&self, model: &[u8]) -> Node<'_> {
        match self.points.get(model) {
            Some(host) => Node::Host(host),
            None if self.is_above(model) => Node::Above,
            None => Node::Plain,
        }
    }

    fn is_above(&self, model: &[u8]) -> bool {
        model.len() <= self.longest && self.above.contains(self.folded(model).as_ref())
    }

    fn folded<'p>(&self, model: &'p [u8]) -> Cow<'p, [u8]> {
        if self.world.case_insensitive() { model.to_ascii_lowercase().into() } else { model.into() }
    }

    /// The host's path of a canonical model path.
    pub fn host_of(&self, model: &[u8]) -> Vec<u8> {
        let mut head = Some(model);
        while let Some(path) = head {
            if let Some(host) = self.points.get(path) {
                return join_rest(host, model.get(path.len()..).unwrap_or_default());
            }
            head = parent(path);
        }
        model.to_vec()
    }

    /// The model's name of a canonical host path: the longest host folder that is mapped decides.
    pub fn model_of(&self, host: &[u8]) -> Vec<u8> {
        let best =
            self.points.iter().filter(|(_, folder)| is_below(host, folder)).max_by_key(|(_, folder)| folder.len());
        match best {
            Some((model, folder)) => join_rest(model, host.get(folder.len()..).unwrap_or_default()),
            None => host.to_vec(),
        }
    }

    /// Whether a host link at this model path is followed without asking.
    pub fn is_silent(&self, model: &[u8]) -> bool {
        parent(model) == Some(b"/") || [&b"/proc/"[..], b"/dev/"].iter().any(|prefix| model.starts_with(prefix))
    }
}

impl Default for Mapping {
    fn default() -> Self {
        Self::host()
    }
}

/// The folder that a canonical path stands in; `None` for `/`.
pub(crate) fn parent(path: &[u8]) -> Option<&[u8]> {
    match memchr::memrchr(b'/', path)? {
        0 if path.len() > 1 => Some(b"/"),
        0 => None,
        end => path.get(..end),
    }
}

/// The first component of an absolute path.
fn head(path: &[u8]) -> Option<&[u8]> {
    path.split(|byte| *byte == b'/').find(|part| !part.is_empty() && *part != b".")
}

fn is_below(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

fn join_rest(folder: &[u8], rest: &[u8]) -> Vec<u8> {
    if folder == b"/" && !rest.is_empty() { rest.to_vec() } else { [folder, rest].concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_without_any_mapping_are_plain() {
        let mapping = Mapping::host();
        assert!(mapping.is_plain_below(b"/usr/bin/env") && mapping.is_plain_below(b"//./usr"));
        let others: [&[u8]; 8] =
            [b"/", b"/tmp/x", b"/TMP/x", b"/private/tmp", b"/etc", b"/var/x", b"/System/Volumes/Data/x", b"/../tmp"];
        assert!(!others.iter().any(|path| mapping.is_plain_below(path)));
        let moved = mapping.relocate(Path::new("/private/tmp"), Path::new("/srv/tree"));
        assert!(!moved.is_plain_below(b"/srv/x") && moved.is_plain_below(b"/usr/x"));
    }

    #[test]
    fn the_hosts_tmp_is_the_models_private_tmp() {
        let mapping = Mapping::host();
        assert_eq!(mapping.model_of(b"/tmp/x"), b"/private/tmp/x");
        assert_eq!(mapping.host_of(b"/private/tmp/x"), b"/tmp/x");
        assert_eq!(mapping.model_of(b"/tmpfile"), b"/tmpfile");
        assert_eq!(mapping.model_of(b"/usr/bin"), b"/usr/bin");
        assert_eq!(mapping.node(b"/private"), Node::Above);
        assert_eq!(mapping.node(b"/private/etc"), Node::Host(b"/etc"));
        assert_eq!(mapping.node(b"/System/Volumes"), Node::Above);
        assert_eq!(mapping.node(b"/usr"), Node::Plain);
    }

    #[test]
    fn a_relocated_folder_wins_over_the_worlds_links() {
        let mapping = Mapping::host().relocate(Path::new("/private/tmp"), Path::new("/tmp/.run/private/tmp"));
        assert_eq!(mapping.host_of(b"/private/tmp/foo"), b"/tmp/.run/private/tmp/foo");
        assert_eq!(mapping.model_of(b"/tmp/.run/private/tmp/foo"), b"/private/tmp/foo");
        assert!(mapping.is_relocated());
    }

    #[test]
    fn links_of_the_host_alone_are_silent() {
        let mapping = Mapping::host();
        assert!(mapping.is_silent(b"/bin") && mapping.is_silent(b"/proc/self"));
        assert!(!mapping.is_silent(b"/usr/bin/sh") && !mapping.is_silent(b"/private/tmp/link"));
    }

    #[test]
    fn parents() {
        assert_eq!(parent(b"/"), None);
        assert_eq!(parent(b"/a"), Some(&b"/"[..]));
        assert_eq!(parent(b"/a/b"), Some(&b"/a"[..]));
    }
}
