//! One module for each family of calls.
//!
//! **Invariants:** what a call points to is read once; what was judged is what is done.

mod attributes;
mod names;
mod net;
mod open;
mod process;
mod send;

use super::notify::Reply;
use super::run::{Run, Served};
use super::sys::Sys;
use crate::sandbox::supervised::table::Handler;

impl Run<'_> {
    /// Serves one call.
    pub(super) fn handle(&mut self, handler: Handler, served: &Served) -> Sys<Reply> {
        // Who may look where can change with these, and with nothing else that processes of a run may do.
        if matches!(handler, Handler::Chmod | Handler::Chown | Handler::Xattr) {
            self.kept.forget();
        }
        match handler {
            Handler::Open => self.open(served),
            Handler::Stat => self.stat(served),
            Handler::Access => self.access(served),
            Handler::Readlink => self.readlink(served),
            Handler::Statfs => self.statfs(served),
            Handler::Getcwd => self.getcwd(served),
            Handler::Watch => self.watch(served),
            Handler::Unlink => self.unlink(served),
            Handler::Rename => self.rename(served),
            Handler::Link => self.link(served),
            Handler::Symlink => self.symlink(served),
            Handler::Mkdir => self.mkdir(served),
            Handler::Mknod => self.mknod(served),
            Handler::Xattr => self.xattr(served),
            Handler::Chmod => self.chmod(served),
            Handler::Chown => self.chown(served),
            Handler::Times => self.times(served),
            Handler::Truncate => self.truncate(served),
            Handler::Chdir => self.chdir(served),
            Handler::Exec => self.exec(served),
            Handler::Fork => self.fork(served),
            Handler::MapCode => self.map_code(served),
            Handler::Signal => self.signal(served),
            Handler::Ioctl => self.ioctl(served),
            Handler::Plain => self.plain(served),
            Handler::Neighbour => self.neighbour(served),
            Handler::Owner => self.owner(served),
            Handler::Credentials => self.credentials(served),
            Handler::Socket => self.socket(served),
            Handler::Bind => self.bind(served),
            Handler::Connect => self.connect(served),
            Handler::Listen => self.listen(served),
            Handler::Accept => self.accept(served),
            Handler::Send => self.send(served),
        }
    }
}
