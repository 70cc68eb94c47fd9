//! What paths mean: symbolic links, firmlinks and case, as data; and the way the kernel walks a path through them.
//!
//! The model is the one of `spec/probe-runner.md` section 8: a path is resolved component by component, `..` after the
//! links before it; every symbolic link on the way is itself asked about (`file-read-metadata` on the link's own path);
//! plain directories are not; the operation is judged on the resolved path in its firmlink spelling.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::WorldError;
use crate::pattern::variable;
use crate::vocab::{OpId, Target};

/// The name of the world that is used when none is given.
pub const DEFAULT_WORLD: &str = "macos-14";

/// How many links the kernel follows in one walk (`MAXSYMLINKS` of macOS).
pub const MAX_LINKS: usize = 32;

/// Longest path, links substituted, in bytes. macOS stops at 1024; ours only keeps hostile worlds from growing without end.
pub const MAX_PATH: usize = 1 << 14;

const MACOS_14: &str = include_str!("worlds/macos-14.json");

/// Links and case of one file system tree, and what variables of patterns stand for in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct World {
    symlinks: BTreeMap<Vec<u8>, Vec<u8>>,
    firmlinks: BTreeMap<Vec<u8>, Vec<u8>>,
    case_insensitive: bool,
    variables: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct WorldFile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extends: Option<String>,
    #[serde(default)]
    symlinks: BTreeMap<String, String>,
    #[serde(default)]
    firmlinks: BTreeMap<String, String>,
    #[serde(default)]
    case_insensitive: Option<bool>,
    #[serde(default)]
    variables: BTreeMap<String, OneOrMore>,
}

#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// One step of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A component that is no link; the path so far.
    Component(Vec<u8>),
    /// `..`; the path after it.
    Parent(Vec<u8>),
    /// A symbolic link that is followed: its own path and what it holds. It needs `file-read-metadata` on that path.
    Link {
        /// The link's own resolved path.
        path: Vec<u8>,
        /// Its text.
        target: Vec<u8>,
    },
    /// The other spelling of a firmlink, and the canonical one that replaces it.
    Firmlink {
        /// As walked to.
        from: Vec<u8>,
        /// As the kernel reports it.
        to: Vec<u8>,
    },
}

/// Where a walk ends and how it got there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The canonical path.
    pub path: Vec<u8>,
    /// The way.
    pub steps: Vec<Step>,
}

impl Resolved {
    /// The links on the way, in the order met.
    pub fn links(&self) -> impl Iterator<Item = &[u8]> {
        self.steps.iter().filter_map(|step| match step {
            Step::Link { path, .. } => Some(path.as_slice()),
            _ => None,
        })
    }
}

impl World {
    /// The built-in world `macos-14`: only what every macOS 14 has. `/tmp`, `/var` and `/etc` are links into `/private`, and
    /// what lies below `/System/Volumes/Data` is seen without that prefix.
    pub fn macos_14() -> Self {
        match Self::parse(MACOS_14.as_bytes()) {
            Ok(world) => world,
            // The text is part of the program; a unit test reads it.
            Err(error) => unreachable!("{error}"),
        }
    }

    /// A world without links.
    pub fn bare() -> Self {
        Self::default()
    }

    /// Reads a world file: `{"extends": "macos-14" | null, "symlinks": {"/path": "target"}, "firmlinks": {"/canonical":
    /// "/other/spelling"}, "case_insensitive": bool, "variables": {"HOME": "/Users/me"}}`. Without `extends` (or with null)
    /// nothing is inherited. A variable of patterns may have a list of values.
    ///
    /// # Errors
    /// Not JSON of that shape, an unknown base, a path that is not absolute and plain, a variable with a meaning of its own.
    pub fn parse(json: &[u8]) -> Result<Self, WorldError> {
        let file: WorldFile = serde_json::from_slice(json).map_err(|error| WorldError::Shape(error.to_string()))?;
        let mut world = match file.extends.as_deref() {
            None => Self::bare(),
            Some(DEFAULT_WORLD) => Self::macos_14(),
            Some(other) => return Err(WorldError::UnknownBase(other.to_owned())),
        };
        if let Some(folds) = file.case_insensitive {
            world.case_insensitive = folds;
        }
        let mut links = std::mem::take(&mut world.symlinks);
        links.extend(file.symlinks.into_iter().map(|(path, target)| (path.into_bytes(), target.into_bytes())));
        let mut firm = std::mem::take(&mut world.firmlinks);
        firm.extend(file.firmlinks.into_iter().map(|(path, other)| (path.into_bytes(), other.into_bytes())));
        for (path, target) in links {
            world.add_symlink(&path, &target)?;
        }
        for (path, other) in firm {
            world.add_firmlink(&path, &other)?;
        }
        for (name, values) in file.variables {
            let values = match values {
                OneOrMore::One(value) => vec![value],
                OneOrMore::More(values) => values,
            };
            if name.is_empty() || variable::fixed(name.as_bytes()).is_some() || values.iter().any(String::is_empty) {
                return Err(WorldError::Shape(format!("the variable {name:?} cannot be given these values")));
            }
            let values = values.into_iter().map(String::into_bytes).collect();
            world.variables.insert(name.into_bytes().to_ascii_lowercase(), values);
        }
        Ok(world)
    }

    /// The world as a world file has it, whole: it extends nothing.
    pub fn to_json(&self) -> serde_json::Value {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let links = |links: &BTreeMap<Vec<u8>, Vec<u8>>| links.iter().map(|(at, to)| (text(at), text(to))).collect();
        let variables = self.variables.iter();
        let file = WorldFile {
            extends: None,
            symlinks: links(&self.symlinks),
            firmlinks: links(&self.firmlinks),
            case_insensitive: Some(self.case_insensitive),
            variables: variables
                .map(|(name, values)| (text(name), OneOrMore::More(values.iter().map(|value| text(value)).collect())))
                .collect(),
        };
        serde_json::json!(file)
    }

    /// Adds a symbolic link at `path` (its own resolved path).
    ///
    /// # Errors
    /// A path that is not absolute and plain, an empty target or one with a NUL byte.
    pub fn add_symlink(&mut self, path: &[u8], target: &[u8]) -> Result<(), WorldError> {
        if !is_plain(path) || path == b"/" {
            return Err(WorldError::Key(lossy(path)));
        }
        if target.is_empty() || target.contains(&0) {
            return Err(WorldError::Shape(format!("the link {} has no usable target", lossy(path))));
        }
        self.symlinks.insert(self.key(path), target.to_vec());
        Ok(())
    }

    /// Adds a firmlink: `path` is the canonical spelling, `other` the one that is replaced by it.
    ///
    /// # Errors
    /// Paths that are not absolute and plain; `other` may not be `/`.
    pub fn add_firmlink(&mut self, path: &[u8], other: &[u8]) -> Result<(), WorldError> {
        for each in [path, other] {
            if !is_plain(each) {
                return Err(WorldError::Key(lossy(each)));
            }
        }
        if other == b"/" {
            return Err(WorldError::Key("/".to_owned()));
        }
        self.firmlinks.insert(path.to_vec(), self.key(other));
        Ok(())
    }

    /// What the symbolic link at `path` (its own resolved path) holds; `None` when there is no link.
    pub fn link_at(&self, path: &[u8]) -> Option<&[u8]> {
        self.symlinks.get(&self.key(path)).map(Vec::as_slice)
    }

    /// Every symbolic link: its own path and what it holds, in order of paths.
    pub fn symlinks(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.symlinks.iter().map(|(path, target)| (path.as_slice(), target.as_slice()))
    }

    /// Every firmlink: the canonical spelling and the one that is replaced by it, in order of the former.
    pub fn firmlinks(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.firmlinks.iter().map(|(path, other)| (path.as_slice(), other.as_slice()))
    }

    /// What the variables of patterns stand for, by name in lower case.
    pub fn variables(&self) -> impl Iterator<Item = (&[u8], &[Vec<u8>])> {
        self.variables.iter().map(|(name, values)| (name.as_slice(), values.as_slice()))
    }

    /// Whether the tree takes names without regard to ASCII case.
    pub fn case_insensitive(&self) -> bool {
        self.case_insensitive
    }

    fn key(&self, path: &[u8]) -> Vec<u8> {
        if self.case_insensitive { path.to_ascii_lowercase() } else { path.to_vec() }
    }

    /// The canonical spelling of `path`, when it lies below the other spelling of a firmlink. `/System/Volumes/Data` itself
    /// keeps its name: only what is below it is seen without the prefix.
    pub(crate) fn unfold(&self, path: &[u8]) -> Option<Vec<u8>> {
        let key = self.key(path);
        self.firmlinks
            .iter()
            .filter_map(|(canonical, other)| {
                let rest = key.strip_prefix(other.as_slice())?;
                let below = rest.first() == Some(&b'/');
                if !below && (canonical == b"/" || !rest.is_empty()) {
                    return None;
                }
                // Same length as in the key: folding keeps it.
                let rest = path.get(other.len()..)?;
                let head: &[u8] = if canonical == b"/" { b"" } else { canonical };
                Some((other.len(), [head, rest].concat()))
            })
            .max_by_key(|(length, _)| *length)
            .map(|(_, path)| path)
    }

    /// Walks `path` as the kernel does. `follow_last` says whether a link as last component is followed; a trailing `/`
    /// follows it in any case.
    ///
    /// # Errors
    /// A relative path, a NUL byte, more than [`MAX_LINKS`] links, more than [`MAX_PATH`] bytes.
    pub fn resolve(&self, path: &[u8], follow_last: bool) -> Result<Resolved, WorldError> {
        if path.first() != Some(&b'/') {
            return Err(WorldError::Relative(lossy(path)));
        }
        if path.contains(&0) {
            return Err(WorldError::Nul(lossy(path)));
        }
        if path.len() > MAX_PATH {
            return Err(WorldError::TooLong(lossy(path)));
        }
        let follow_last = follow_last || path.ends_with(b"/");
        let mut left: Vec<Vec<u8>> = components(path).rev().map(<[u8]>::to_vec).collect();
        let mut here: Vec<u8> = Vec::new();
        let mut steps = Vec::new();
        let mut links = 0;
        let mut bytes = path.len();
        while let Some(component) = left.pop() {
            if component == b".." {
                let end = memchr::memrchr(b'/', &here).unwrap_or(0);
                here.truncate(end);
                steps.push(Step::Parent(shown(&here)));
                continue;
            }
            let parent = here.len();
            here.push(b'/');
            here.extend_from_slice(&component);
            if let Some(canonical) = self.unfold(&here) {
                let from = std::mem::replace(&mut here, canonical);
                steps.push(Step::Firmlink { from, to: shown(&here) });
                continue;
            }
            let target = self.symlinks.get(&self.key(&here)).filter(|_| !left.is_empty() || follow_last);
            let Some(target) = target else {
                steps.push(Step::Component(here.clone()));
                continue;
            };
            links += 1;
            bytes += target.len();
            if links > MAX_LINKS {
                return Err(WorldError::Loop(lossy(path)));
            }
            if bytes > MAX_PATH {
                return Err(WorldError::TooLong(lossy(path)));
            }
            steps.push(Step::Link { path: here.clone(), target: target.clone() });
            here.truncate(if target.first() == Some(&b'/') { 0 } else { parent });
            left.extend(components(target).rev().map(<[u8]>::to_vec));
        }
        Ok(Resolved { path: shown(&here), steps })
    }
}

/// The path of which `here` is the form without trailing slash.
fn shown(here: &[u8]) -> Vec<u8> {
    if here.is_empty() { b"/".to_vec() } else { here.to_vec() }
}

fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".")
}

fn lossy(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

/// Absolute, no empty, `.` or `..` component, no NUL byte.
pub(crate) fn is_plain(path: &[u8]) -> bool {
    match path.strip_prefix(b"/") {
        Some(b"") => true,
        Some(rest) => {
            !rest.contains(&0) && rest.split(|byte| *byte == b'/').all(|part| !matches!(part, b"" | b"." | b".."))
        }
        None => false,
    }
}

/// Operations whose usual calls act on a link that is the last component itself: `lstat`, `unlink` and `rename`, and the calls
/// that make a new name. Every other operation follows it (`open`, `execve`, `chmod`, `connect` …).
const ON_THE_LINK: &[&str] = &["file-read-metadata", "file-write-unlink", "file-write-create", "file-mknod"];

/// Whether `operation` is asked about what a link as last component leads to, not about the link.
pub fn follows_last(target: &Target, operation: OpId) -> bool {
    !ON_THE_LINK.contains(&target.operation(operation).name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(world: &World, path: &str) -> (String, Vec<String>) {
        let resolved = world.resolve(path.as_bytes(), true).unwrap();
        let links = resolved.links().map(lossy).collect();
        (lossy(&resolved.path), links)
    }

    #[test]
    fn the_built_in_world_has_the_three_links_and_the_data_volume() {
        let world = World::macos_14();
        let case = |path: &str| resolve(&world, path);
        assert_eq!(case("/tmp/foo"), ("/private/tmp/foo".to_owned(), vec!["/tmp".to_owned()]));
        assert_eq!(case("/etc"), ("/private/etc".to_owned(), vec!["/etc".to_owned()]));
        assert_eq!(case("//private/./var/x/"), ("/private/var/x".to_owned(), vec![]));
        assert_eq!(case("/System/Volumes/Data/private/etc/hosts"), ("/private/etc/hosts".to_owned(), vec![]));
        assert_eq!(case("/System/Volumes/Data"), ("/System/Volumes/Data".to_owned(), vec![]));
        assert_eq!(case("/System/Volumes/Database/x"), ("/System/Volumes/Database/x".to_owned(), vec![]));
        assert_eq!(case("/TMP/Foo"), ("/private/tmp/Foo".to_owned(), vec!["/TMP".to_owned()]));
        assert_eq!(case("/../.."), ("/".to_owned(), vec![]));
    }

    #[test]
    fn dot_dot_is_applied_after_the_link_before_it() {
        let mut world = World::bare();
        world.add_symlink(b"/a/link", b"/b/c").unwrap();
        assert_eq!(resolve(&world, "/a/link/../d"), ("/b/d".to_owned(), vec!["/a/link".to_owned()]));
        assert_eq!(resolve(&world, "/a/x/../d"), ("/a/d".to_owned(), vec![]));
    }

    #[test]
    fn a_relative_target_starts_at_the_link_and_links_may_lead_to_links() {
        let mut world = World::macos_14();
        world.add_symlink(b"/private/tmp/dir/to_var", b"../../../var/tmp").unwrap();
        let links = vec!["/tmp".to_owned(), "/private/tmp/dir/to_var".to_owned(), "/var".to_owned()];
        assert_eq!(resolve(&world, "/tmp/dir/to_var/f"), ("/private/var/tmp/f".to_owned(), links));
    }

    #[test]
    fn the_last_component_is_only_followed_when_asked() {
        let world = World::macos_14();
        assert_eq!(world.resolve(b"/tmp", false).unwrap().path, b"/tmp");
        assert_eq!(world.resolve(b"/tmp/", false).unwrap().path, b"/private/tmp");
        assert_eq!(world.resolve(b"/tmp", true).unwrap().path, b"/private/tmp");
    }

    #[test]
    fn loops_and_growing_links_end() {
        let mut world = World::bare();
        world.add_symlink(b"/a", b"/b").unwrap();
        world.add_symlink(b"/b", b"a").unwrap();
        assert!(matches!(world.resolve(b"/a/x", true), Err(WorldError::Loop(_))));
        world.add_symlink(b"/g", &b"g/x/".repeat(1 << 13)).unwrap();
        assert!(matches!(world.resolve(b"/g", true), Err(WorldError::TooLong(_) | WorldError::Loop(_))));
    }

    #[test]
    fn world_files_extend_and_are_checked() {
        let world = World::parse(br#"{"extends": "macos-14", "symlinks": {"/w": "/tmp"}}"#).unwrap();
        assert_eq!(resolve(&world, "/w/f").0, "/private/tmp/f");
        let firm = World::parse(br#"{"extends": null, "firmlinks": {"/Users": "/Data/Users"}}"#).unwrap();
        assert_eq!(resolve(&firm, "/Data/Users/me").0, "/Users/me");
        assert_eq!(resolve(&firm, "/data/users/me").0, "/data/users/me");
        for (bad, code) in [
            (&br#"{"symlinks": {"relative": "x"}}"#[..], "absolute"),
            (br#"{"extends": "macos-9"}"#, "macos-14"),
            (br#"{"links": {}}"#, "unknown field"),
            (br#"{"firmlinks": {"/a": "/"}}"#, "absolute"),
            (br#"{"variables": {"ANY_UUID": "x"}}"#, "cannot be given"),
            (br#"{"variables": {"HOME": []}, "symlinks": {"/": ""}}"#, "absolute"),
            (br#"{"variables": {"HOME": 1}}"#, "not a world"),
            (b"[", "not a world"),
        ] {
            let error = World::parse(bad).unwrap_err().to_string();
            assert!(error.contains(code), "{error}");
        }
    }
}
