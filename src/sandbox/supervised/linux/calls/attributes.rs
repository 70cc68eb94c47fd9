//! Modes, owners, times, sizes, extended attributes.

use super::super::ask::Kind;
use super::super::notify::Reply;
use super::super::run::{Run, Served};
use super::super::sys::{self, Errno, Sys};
use super::super::walk::Walked;
use crate::decide::Value;

/// Longest value of an extended attribute, and of a list of their names.
const XATTR_MAX: u64 = 65_536;

fn timespec(seconds: i64, nanoseconds: i64) -> libc::timespec {
    libc::timespec { tv_sec: seconds, tv_nsec: nanoseconds }
}

impl Run<'_> {
    fn ask_attribute(&self, served: &Served, operation: &str, walked: &Walked) -> Sys<()> {
        if walked.object.is_none() {
            self.ask_links(served, walked)?;
        }
        walked.existing()?;
        self.asker.ask_path(&served.question(operation), walked, Kind::Existing, Vec::new())
    }

    pub(super) fn chmod(&mut self, served: &Served) -> Sys<Reply> {
        let (walked, mode) = match served.call.name {
            "fchmod" => (self.behind(served, served.int(0))?, served.arg(1)),
            "fchmodat" => (self.walk(served, served.int(0), served.arg(1), true)?, served.arg(2)),
            "fchmodat2" => (self.walk_at(served, served.int(0), served.arg(1), served.int(3))?, served.arg(2)),
            _ => (self.walk(served, libc::AT_FDCWD, served.arg(0), true)?, served.arg(1)),
        };
        let mode = mode as u32 & 0o7777;
        self.ask_attribute(served, "file-write-mode", &walked)?;
        self.ask_setugid(served, &walked, mode)?;
        sys::chmod_fd(walked.existing()?.fd()?, mode)?;
        Ok(Reply::Value(0))
    }

    pub(super) fn chown(&mut self, served: &Served) -> Sys<Reply> {
        let (walked, ids) = match served.call.name {
            "fchown" => (self.behind(served, served.int(0))?, 1),
            "fchownat" => (self.walk_at(served, served.int(0), served.arg(1), served.int(4))?, 2),
            name => (self.walk(served, libc::AT_FDCWD, served.arg(0), name == "chown")?, 1),
        };
        self.ask_attribute(served, "file-write-owner", &walked)?;
        sys::chown_fd(walked.existing()?.fd()?, served.arg(ids) as u32, served.arg(ids + 1) as u32)?;
        Ok(Reply::Value(0))
    }

    pub(super) fn times(&mut self, served: &Served) -> Sys<Reply> {
        let (walked, times) = match served.call.name {
            "utimensat" if served.arg(1) == 0 => (self.behind(served, served.int(0))?, 2),
            "utimensat" => (self.walk_at(served, served.int(0), served.arg(1), served.int(3))?, 2),
            "futimesat" if served.arg(1) == 0 => (self.behind(served, served.int(0))?, 2),
            "futimesat" => (self.walk(served, served.int(0), served.arg(1), true)?, 2),
            _ => (self.walk(served, libc::AT_FDCWD, served.arg(0), true)?, 1),
        };
        let address = served.arg(times);
        let times = if address == 0 { None } else { Some(self.read_times(served, address)?) };
        self.ask_attribute(served, "file-write-times", &walked)?;
        sys::times_fd(walked.existing()?.fd()?, times.as_ref())?;
        Ok(Reply::Value(0))
    }

    fn read_times(&self, served: &Served, address: u64) -> Sys<[libc::timespec; 2]> {
        let number = |place: u64| served.task.u64(address.wrapping_add(8 * place)).map(|word| word as i64);
        let times = match served.call.name {
            "utime" => [timespec(number(0)?, 0), timespec(number(1)?, 0)],
            "utimensat" => [timespec(number(0)?, number(1)?), timespec(number(2)?, number(3)?)],
            _ => {
                let micro = |place| number(place).map(|micro| micro.saturating_mul(1000));
                [timespec(number(0)?, micro(1)?), timespec(number(2)?, micro(3)?)]
            }
        };
        self.still(served)?;
        Ok(times)
    }

    pub(super) fn truncate(&mut self, served: &Served) -> Sys<Reply> {
        let walked = self.walk(served, libc::AT_FDCWD, served.arg(0), true)?;
        self.ask_attribute(served, "file-write-data", &walked)?;
        sys::truncate_fd(walked.existing()?.fd()?, served.arg(1) as i64)?;
        Ok(Reply::Value(0))
    }

    pub(super) fn xattr(&mut self, served: &Served) -> Sys<Reply> {
        let name = served.call.name;
        let (what, descriptor, follow) = match name.as_bytes().first() {
            Some(b'f') => (name.get(1..).unwrap_or(name), true, false),
            Some(b'l') if name.starts_with("ll") || !name.starts_with("list") => {
                (name.get(1..).unwrap_or(name), false, false)
            }
            _ => (name, false, true),
        };
        let lists = what == "listxattr";
        let attribute = if lists { Vec::new() } else { served.task.string(served.arg(1))? };
        let walked = match descriptor {
            true => self.behind(served, served.int(0))?,
            false => self.walk(served, libc::AT_FDCWD, served.arg(0), follow)?,
        };
        if walked.object.is_none() {
            self.ask_links(served, &walked)?;
        }
        let object = walked.existing()?;
        let operation = match what {
            "setxattr" | "removexattr" => "file-write-xattr",
            _ => "file-read-xattr",
        };
        let known = self.asker.filters.xattr.filter(|_| !lists);
        let values = known.map(|filter| (filter, Value::string(attribute.as_slice())));
        self.asker.ask_path(&served.question(operation), &walked, Kind::Existing, values.into_iter().collect())?;
        let attribute = sys::c_string(&attribute)?;
        let (buffer, size) = if lists { (served.arg(1), served.arg(2)) } else { (served.arg(2), served.arg(3)) };
        match what {
            "getxattr" | "listxattr" => {
                let room = size.min(XATTR_MAX) as usize;
                let value = match lists {
                    true => sys::list_xattr(object.fd()?, room)?,
                    false => sys::get_xattr(object.fd()?, &attribute, room)?,
                };
                if size > 0 {
                    served.task.write(buffer, &value)?;
                }
                Ok(Reply::Value(value.len() as i64))
            }
            "setxattr" => {
                if size > XATTR_MAX {
                    return Err(Errno(libc::E2BIG));
                }
                let value = served.task.bytes(buffer, size as usize)?;
                self.still(served)?;
                sys::set_xattr(object.fd()?, &attribute, &value, served.int(4))?;
                Ok(Reply::Value(0))
            }
            _ => {
                sys::remove_xattr(object.fd()?, &attribute)?;
                Ok(Reply::Value(0))
            }
        }
    }
}
