//! The files that probes are tried on: a private tree in the shape of the world, with a file wherever a plan's path leads.
//!
//! **Invariants:** nothing outside of the given folder is made or changed; every link in the tree is relative and stays in it, so
//! the tree means the same to a process that is not supervised.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::driver::{Kind, mark_fixture};
use super::{Action, Fixture, SandboxError, Wanted, WantedKind};
use crate::decide::World;
use crate::decide::world::Step;

/// What every file of the tree holds.
const CONTENT: &[u8] = b"fixture\n";

/// What stands at one path. A folder wins over a file: something lies below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    File,
    Folder,
    Link(Vec<u8>),
}

/// Whether the probe of an operation works on a file of the tree.
pub(super) fn uses_tree(kind: Kind) -> bool {
    use Kind::{Metadata, Read, ReadAt, Search, Test, Write, WriteAt, XattrRead, XattrWrite};
    matches!(kind, Read | ReadAt | Write | WriteAt | Metadata | Test | Search | XattrRead | XattrWrite)
}

/// Everything that `actions` need, by path in the model, parents before what they hold.
fn plan(actions: &[Action], world: &World, wanted: &[Wanted]) -> BTreeMap<Vec<u8>, Node> {
    let mut nodes = BTreeMap::new();
    let mut put = |path: &[u8], node: Node| {
        let path = nodes.entry(path.to_vec()).or_insert(Node::File);
        *path = node.max(path.clone());
    };
    for action in actions {
        let Some(kind) = Kind::of_action(action).filter(|kind| uses_tree(*kind)) else { continue };
        // A path that cannot be walked has no file; the probe itself will say so.
        let Ok(resolved) = world.resolve(action.target.as_bytes(), true) else { continue };
        for step in &resolved.steps {
            match step {
                Step::Component(path) | Step::Parent(path) if *path != resolved.path => put(path, Node::Folder),
                Step::Component(_) | Step::Parent(_) => {}
                Step::Link { path, target } => put(path, Node::Link(target.clone())),
                Step::Firmlink { from, to } => put(from, Node::Link(to.clone())),
            }
        }
        put(&resolved.path, if kind == Kind::Search { Node::Folder } else { Node::File });
    }
    for wanted in wanted {
        let node = match &wanted.kind {
            WantedKind::File => Node::File,
            WantedKind::Directory => Node::Folder,
            WantedKind::Symlink(target) => Node::Link(target.clone().into_bytes()),
        };
        put(wanted.path.as_bytes(), node);
    }
    // What lies on the way is a folder, whoever made it.
    let parents: Vec<Vec<u8>> = nodes.keys().flat_map(|path| ancestors(path)).collect();
    for path in parents {
        let node = nodes.entry(path).or_insert(Node::Folder);
        if *node == Node::File {
            *node = Node::Folder;
        }
    }
    nodes.remove(&b"/"[..]);
    nodes
}

/// The folders above `path`, without `/`.
fn ancestors(path: &[u8]) -> Vec<Vec<u8>> {
    let ends = memchr::memrchr_iter(b'/', path).filter(|end| *end > 0);
    ends.filter_map(|end| path.get(..end).map(<[u8]>::to_vec)).collect()
}

/// `target` of a link at `path`, as a path relative to the link's folder.
fn relative(path: &[u8], target: &[u8]) -> Vec<u8> {
    let Some(rest) = target.strip_prefix(b"/") else { return target.to_vec() };
    let mut text = b"../".repeat(ancestors(path).len());
    text.extend_from_slice(if rest.is_empty() { b"." } else { rest });
    text
}

/// Where a path of the model is below `root`.
pub(super) fn place(root: &Path, path: &[u8]) -> PathBuf {
    let inside = path.strip_prefix(b"/").unwrap_or(path);
    root.join(std::ffi::OsStr::from_bytes(inside))
}

/// Makes the tree for `actions` in the empty folder `root`.
pub(super) fn make(
    root: &Path,
    actions: &[Action],
    world: &World,
    wanted: &[Wanted],
) -> Result<Vec<Fixture>, SandboxError> {
    let mut made = Vec::new();
    for (path, node) in plan(actions, world, wanted) {
        let name = String::from_utf8_lossy(&path).into_owned();
        let (kind, target) = match &node {
            Node::File => ("file", None),
            Node::Folder => ("directory", None),
            Node::Link(target) => ("link", Some(String::from_utf8_lossy(target).into_owned())),
        };
        make_one(&place(root, &path), &path, &node)
            .map_err(|error| SandboxError::Fixture { name: name.clone(), reason: error.to_string() })?;
        made.push(Fixture { name, kind, target, mode: None });
    }
    // When everything is in its place: a folder may refuse more.
    for wanted in wanted.iter().filter(|wanted| wanted.mode.is_some()) {
        set_mode(&place(root, wanted.path.as_bytes()), wanted)
            .map_err(|error| SandboxError::Fixture { name: wanted.path.clone(), reason: error.to_string() })?;
        let fixture = wanted.made();
        made.iter_mut().filter(|made| made.name == fixture.name).for_each(|made| made.mode.clone_from(&fixture.mode));
    }
    Ok(made)
}

/// Gives a file or folder the permissions that a plan wants; links have none.
pub(super) fn set_mode(place: &Path, wanted: &Wanted) -> io::Result<()> {
    match (wanted.mode, &wanted.kind) {
        (Some(mode), WantedKind::File | WantedKind::Directory) => {
            fs::set_permissions(place, fs::Permissions::from_mode(mode))
        }
        _ => Ok(()),
    }
}

fn make_one(place: &Path, path: &[u8], node: &Node) -> io::Result<()> {
    match node {
        Node::Folder => fs::create_dir_all(place),
        Node::Link(target) => {
            if let Some(parent) = place.parent() {
                fs::create_dir_all(parent)?;
            }
            symlink(std::ffi::OsStr::from_bytes(&relative(path, target)), place)
        }
        Node::File => {
            fs::write(place, CONTENT)?;
            fs::set_permissions(place, fs::Permissions::from_mode(0o644))?;
            // Not every file system has extended attributes; a probe of them then says that they are not available.
            let _ = place.to_str().map(mark_fixture);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(operation: &str, target: &str) -> Action {
        Action { operation: operation.to_owned(), target: target.to_owned(), ..Action::default() }
    }

    /// Paths in both spellings, through a link, on the data volume, with `..`: one tree, in which the kernel finds each of them.
    #[test]
    fn every_spelling_leads_to_its_file() {
        let mut world = World::macos_14();
        world.add_symlink(b"/private/tmp/dir/to_var", b"/private/var/tmp").unwrap();
        let targets = [
            "/tmp/foo",
            "/private/tmp/nested/child",
            "/private/tmp/dir/to_var/probe",
            "/System/Volumes/Data/private/etc/hosts",
            "/tmp/edges/ok/../blocked",
            "/tmp/nested",
        ];
        let actions: Vec<_> = targets.iter().map(|target| action("file-read*", target)).collect();
        let root = tempfile::tempdir().unwrap();
        let made = make(root.path(), &actions, &world, &[]).unwrap();
        assert!(made.iter().any(|fixture| fixture.kind == "link" && fixture.name == "/tmp"));
        let real_root = root.path().canonicalize().unwrap();
        for target in targets {
            let found = place(root.path(), target.as_bytes()).canonicalize().unwrap();
            let resolved = world.resolve(target.as_bytes(), true).unwrap().path;
            assert_eq!(found, place(&real_root, &resolved), "{target}");
        }
        assert!(place(root.path(), b"/private/tmp/nested").is_dir());
    }

    #[test]
    fn what_is_no_file_makes_none() {
        let root = tempfile::tempdir().unwrap();
        let actions = [action("mach-lookup", "com.example"), action("process-exec", "/usr/bin/true")];
        assert_eq!(make(root.path(), &actions, &World::macos_14(), &[]).unwrap(), []);
    }

    /// What a plan wants is there besides, with its permissions; a link leads to where its text says, inside the tree.
    #[test]
    fn wanted_fixtures() {
        let root = tempfile::tempdir().unwrap();
        let wanted = [
            Wanted { path: "/private/tmp/a/f".to_owned(), kind: WantedKind::File, mode: Some(0o600) },
            Wanted { path: "/private/tmp/a/d".to_owned(), kind: WantedKind::Directory, mode: Some(0o750) },
            Wanted {
                path: "/private/tmp/a/l".to_owned(),
                kind: WantedKind::Symlink("/private/tmp/a/f".to_owned()),
                mode: None,
            },
        ];
        let made = make(root.path(), &[], &World::macos_14(), &wanted).unwrap();
        let mode = |name: &str| fs::metadata(place(root.path(), name.as_bytes())).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode("/private/tmp/a/f"), mode("/private/tmp/a/d"), mode("/private/tmp/a/l")),
            (0o600, 0o750, 0o600)
        );
        let said: Vec<_> = made.iter().filter_map(|fixture| fixture.mode.as_deref()).collect();
        assert_eq!(said, ["0750", "0600"]);
        assert!(
            made.iter().any(|fixture| fixture.kind == "link" && fixture.target.as_deref() == Some("/private/tmp/a/f"))
        );
    }
}
