//! Sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use super::super::ask::Kind;
use super::super::notify::Reply;
use super::super::run::{Run, Served};
use super::super::sys::{self, Errno, Sys};
use crate::decide::{Address, Family, Transport, Value};
use crate::vocab::FilterId;

/// Longest socket address of any family (`struct sockaddr_storage`).
const ADDRESS_MAX: usize = 128;
const AF_UNSPEC: u16 = 0;
const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const AF_NETLINK: u16 = 16;

/// Where a socket address leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whither {
    /// A path.
    Path(Vec<u8>),
    /// A UNIX socket without path: Linux's abstract names.
    Unnamed,
    /// An IP address and a port.
    Ip(IpAddr, u16),
    /// The kernel itself, or the end of a connection.
    Nowhere,
    /// Another family.
    Other,
}

impl Whither {
    /// Reads an address as a socket of `domain` does.
    pub(super) fn of(bytes: &[u8], domain: u16) -> Sys<Self> {
        let word = |at: usize| Some([*bytes.get(at)?, *bytes.get(at + 1)?]);
        let family = u16::from_ne_bytes(word(0).ok_or(Errno::INVAL)?);
        let port = || word(2).map(u16::from_be_bytes).ok_or(Errno::INVAL);
        Ok(match (family, domain) {
            (AF_NETLINK, _) => Self::Nowhere,
            // UDP takes an address without family for one of its own.
            (AF_INET, _) | (AF_UNSPEC, AF_INET) if bytes.len() >= 8 => {
                let octets: [u8; 4] = bytes.get(4..8).and_then(|octets| octets.try_into().ok()).ok_or(Errno::INVAL)?;
                Self::Ip(Ipv4Addr::from(octets).into(), port()?)
            }
            (AF_INET6, _) if bytes.len() >= 24 => {
                let octets: [u8; 16] =
                    bytes.get(8..24).and_then(|octets| octets.try_into().ok()).ok_or(Errno::INVAL)?;
                Self::Ip(Ipv6Addr::from(octets).into(), port()?)
            }
            (AF_UNSPEC, _) => Self::Nowhere,
            (AF_UNIX, _) => match bytes.get(2..).unwrap_or_default() {
                [] | [0, ..] => Self::Unnamed,
                path => Self::Path(path.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()),
            },
            (AF_INET | AF_INET6, _) => return Err(Errno::INVAL),
            _ => Self::Other,
        })
    }
}

/// A copy of a process's socket, and what kind it is.
pub(super) struct Socket {
    pub(super) fd: OwnedFd,
    pub(super) domain: u16,
    pub(super) kind: i32,
    protocol: i32,
}

impl Socket {
    pub(super) fn of(served: &Served) -> Sys<Self> {
        let fd = served.task.copy_of(served.int(0))?;
        let option = |option| sys::socket_option(&fd, option);
        let (domain, kind, protocol) = (option(libc::SO_DOMAIN)?, option(libc::SO_TYPE)?, option(libc::SO_PROTOCOL)?);
        Ok(Self { fd, domain: domain as u16, kind, protocol })
    }

    fn transport(&self) -> Transport {
        match self.kind {
            libc::SOCK_STREAM => Transport::Tcp,
            libc::SOCK_DGRAM => Transport::Udp,
            _ => Transport::Other,
        }
    }
}

/// macOS's number of an address family.
fn mac_domain(linux: u16) -> Option<u16> {
    match linux {
        AF_UNIX | AF_INET => Some(linux),
        AF_INET6 => Some(30),
        // Routing and interfaces: what netlink is for.
        AF_NETLINK => Some(17),
        // Packets of a network device.
        17 => Some(27),
        _ => None,
    }
}

fn address(ip: IpAddr, port: u16, transport: Transport, remote: bool) -> Address {
    Address {
        family: Some(if ip.is_ipv4() { Family::V4 } else { Family::V6 }),
        transport: Some(transport),
        // To connect to no address is to connect to oneself; to be bound to none is to be open to all.
        local: Some(ip.is_loopback() || (remote && ip.is_unspecified())),
        port: Some(port),
    }
}

impl Run<'_> {
    fn socket_values(&self, domain: u16, kind: i32, protocol: i32) -> Vec<(FilterId, Value)> {
        let numbers = [mac_domain(domain), u16::try_from(kind).ok(), u16::try_from(protocol).ok()];
        let filters = self.asker.filters.socket.into_iter().zip(numbers);
        filters.filter_map(|(filter, number)| Some((filter?, Value::number(number?)))).collect()
    }

    /// Sockets that are neither UNIX nor IP.
    pub(super) fn socket(&mut self, served: &Served) -> Sys<Reply> {
        let kind = served.int(1) & 0xf;
        let values = self.socket_values(served.arg(0) as u16, kind, served.int(2));
        let argument = format!("domain {} type {kind} protocol {}", served.int(0), served.int(2));
        self.asker.ask(&served.question("system-socket"), values, argument.as_bytes())?;
        Ok(Reply::Continue)
    }

    pub(super) fn read_address(&self, served: &Served, address: u64, length: u64) -> Sys<Vec<u8>> {
        let length = usize::try_from(length as u32).ok().filter(|length| *length <= ADDRESS_MAX).ok_or(Errno::INVAL)?;
        let bytes = served.task.bytes(address, length)?;
        self.still(served)?;
        Ok(bytes)
    }

    /// Asks about the other end of a connection; what comes back is the address to use.
    ///
    /// The descriptor that it names, if it does, is held by the second part.
    pub(super) fn ask_outbound(
        &self,
        served: &Served,
        socket: &Socket,
        bytes: Vec<u8>,
    ) -> Sys<(Vec<u8>, Option<OwnedFd>)> {
        let question = served.question("network-outbound");
        let values = self.socket_values(socket.domain, socket.kind, socket.protocol);
        match Whither::of(&bytes, socket.domain)? {
            Whither::Nowhere => Ok((bytes, None)),
            Whither::Ip(ip, port) => {
                let remote = address(ip, port, socket.transport(), true);
                self.asker.ask_address(&question, self.asker.filters.remote, remote, values)?;
                Ok((bytes, None))
            }
            Whither::Path(path) => {
                let walked = self.walk_text(served, libc::AT_FDCWD, &path, true)?;
                if walked.object.is_none() {
                    self.ask_links(served, &walked)?;
                    return Err(Errno::NOENT);
                }
                self.asker.ask_path(&question, &walked, Kind::Existing, values)?;
                let held = walked.held()?;
                let mut address = AF_UNIX.to_ne_bytes().to_vec();
                address.extend_from_slice(sys::magic(&held).as_bytes_with_nul());
                Ok((address, Some(held)))
            }
            Whither::Unnamed | Whither::Other => {
                self.asker.ask(&question, values, b"unnamed")?;
                Ok((bytes, None))
            }
        }
    }

    pub(super) fn connect(&mut self, served: &Served) -> Sys<Reply> {
        let bytes = self.read_address(served, served.arg(1), served.arg(2))?;
        let socket = Socket::of(served)?;
        let (address, held) = self.ask_outbound(served, &socket, bytes)?;
        let flags = sys::file_flags(&socket.fd)?;
        if flags & libc::O_NONBLOCK != 0 {
            sys::connect(&socket.fd, &address)?;
            return Ok(Reply::Value(0));
        }
        // A connection may take its time; the socket is made to wait only while nobody else is served.
        let mut started = false;
        let attempt = move || {
            let _held = &held;
            if !started {
                sys::set_file_flags(&socket.fd, flags | libc::O_NONBLOCK)?;
                let result = sys::connect(&socket.fd, &address);
                sys::set_file_flags(&socket.fd, flags)?;
                match result {
                    Ok(()) => return Ok(Some(Reply::Value(0))),
                    Err(Errno(libc::EAGAIN)) => return Ok(None),
                    Err(Errno(libc::EINPROGRESS)) => started = true,
                    Err(error) => return Err(error),
                }
            }
            if !sys::is_ready(&socket.fd, libc::POLLOUT) {
                return Ok(None);
            }
            match sys::socket_option(&socket.fd, libc::SO_ERROR)? {
                0 => Ok(Some(Reply::Value(0))),
                errno => Err(Errno(errno)),
            }
        };
        self.workers.retry(&self.listener, served.id, attempt)
    }

    pub(super) fn bind(&mut self, served: &Served) -> Sys<Reply> {
        let bytes = self.read_address(served, served.arg(1), served.arg(2))?;
        let socket = Socket::of(served)?;
        let question = served.question("network-bind");
        let values = self.socket_values(socket.domain, socket.kind, socket.protocol);
        match Whither::of(&bytes, socket.domain)? {
            // A UNIX address without a name asks the kernel for an abstract one.
            Whither::Nowhere => {}
            Whither::Ip(ip, port) => {
                let local = address(ip, port, socket.transport(), false);
                self.asker.ask_address(&question, self.asker.filters.local, local, values)?;
            }
            Whither::Unnamed | Whither::Other => self.asker.ask(&question, values, b"unnamed")?,
            Whither::Path(path) => {
                let walked = self.walk_text(served, libc::AT_FDCWD, &path, false)?;
                if walked.object.is_some() {
                    self.ask_links(served, &walked)?;
                    return Err(Errno(libc::EADDRINUSE));
                }
                let umask = served.task.umask()?;
                self.asker.ask_path(&question, &walked, Kind::New(libc::S_IFSOCK | (0o777 & !umask)), values)?;
                let (place, name) = walked.place()?;
                let mut address = AF_UNIX.to_ne_bytes().to_vec();
                address.extend_from_slice(name.as_bytes_with_nul());
                if address.len() > size_of::<libc::sockaddr_un>() {
                    return Err(Errno(libc::ENAMETOOLONG));
                }
                // Addresses of UNIX sockets are relative to the folder of the thread, which is its own.
                sys::change_folder(&place)?;
                sys::set_umask(umask);
                let bound = sys::bind(&socket.fd, &address);
                sys::set_umask(0);
                bound?;
                return Ok(Reply::Value(0));
            }
        }
        sys::bind(&socket.fd, &bytes)?;
        Ok(Reply::Value(0))
    }

    /// Who listens lets others in. Only IP: macOS asks nothing for UNIX sockets here.
    fn ask_inbound(&self, served: &Served, socket: &Socket) -> Sys<()> {
        let values = self.socket_values(socket.domain, socket.kind, socket.protocol);
        if let Ok(Whither::Ip(ip, port)) = Whither::of(&sys::socket_name(&socket.fd)?, socket.domain) {
            let local = address(ip, port, socket.transport(), false);
            self.asker.ask_address(&served.question("network-inbound"), self.asker.filters.local, local, values)?;
        }
        Ok(())
    }

    pub(super) fn listen(&mut self, served: &Served) -> Sys<Reply> {
        let socket = Socket::of(served)?;
        self.ask_inbound(served, &socket)?;
        sys::listen(&socket.fd, served.int(1))?;
        Ok(Reply::Value(0))
    }

    pub(super) fn accept(&mut self, served: &Served) -> Sys<Reply> {
        let socket = Socket::of(served)?;
        self.ask_inbound(served, &socket)?;
        Ok(Reply::Continue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_the_kernel_reads_them() {
        let v4 = [2, 0, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(Whither::of(&v4, AF_INET), Ok(Whither::Ip(Ipv4Addr::LOCALHOST.into(), 80)));
        let without_family = [0, 0, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(Whither::of(&without_family, AF_INET), Ok(Whither::Ip(Ipv4Addr::LOCALHOST.into(), 80)));
        assert_eq!(Whither::of(&without_family, AF_UNIX), Ok(Whither::Nowhere));
        assert_eq!(Whither::of(b"\x01\0/tmp/s\0rest", AF_UNIX), Ok(Whither::Path(b"/tmp/s".to_vec())));
        assert_eq!(Whither::of(b"\x01\0\0abstract", AF_UNIX), Ok(Whither::Unnamed));
        assert_eq!(Whither::of(b"\x02\0\0", AF_INET), Err(Errno::INVAL));
        assert_eq!(Whither::of(b"\x02", AF_INET), Err(Errno::INVAL));
    }

    #[test]
    fn only_loopback_is_localhost() {
        let any = address(Ipv4Addr::UNSPECIFIED.into(), 1, Transport::Tcp, false);
        assert_eq!(any.local, Some(false));
        assert_eq!(address(Ipv4Addr::UNSPECIFIED.into(), 1, Transport::Tcp, true).local, Some(true));
        assert_eq!(address(Ipv6Addr::LOCALHOST.into(), 1, Transport::Tcp, false).local, Some(true));
    }
}
