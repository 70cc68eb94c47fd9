//! TCP and UNIX sockets. `HOST:PORT` is TCP, a target that begins with `/` a UNIX socket.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use serde_json::json;

use super::{Report, errno, exit, status};

/// How long a connection may take to be made, as `nc -w 2`.
const PATIENCE: Duration = Duration::from_secs(2);
/// The port of a target that names none.
const PORT: u16 = 80;

/// Connects and closes.
pub(super) fn connect(report: &mut Report<'_>, target: &str) -> io::Result<u8> {
    let outcome = match target.starts_with('/') {
        true => UnixStream::connect(target).map(drop),
        false => match address(target) {
            Some(address) => TcpStream::connect_timeout(&address, PATIENCE).map(drop),
            None => return usage(report, target),
        },
    };
    done(report, "connect", target, outcome)
}

/// Binds, listens and closes; a UNIX socket is removed again.
pub(super) fn bind(report: &mut Report<'_>, target: &str) -> io::Result<u8> {
    let outcome = match target.starts_with('/') {
        true => UnixListener::bind(target).and_then(|_socket| std::fs::remove_file(target)),
        false => match address(target) {
            Some(address) => TcpListener::bind(address).map(drop),
            None => return usage(report, target),
        },
    };
    done(report, "bind", target, outcome)
}

/// Addresses and `localhost` only: resolving a name would ask many other things first.
fn address(target: &str) -> Option<SocketAddr> {
    let target = match target.strip_prefix("localhost") {
        Some(rest) => format!("127.0.0.1{rest}"),
        None => target.to_owned(),
    };
    match target.parse::<SocketAddr>() {
        Ok(address) => Some(address),
        Err(_) => (target.parse::<std::net::IpAddr>().ok()?, PORT).to_socket_addrs().ok()?.next(),
    }
}

fn usage(report: &mut Report<'_>, target: &str) -> io::Result<u8> {
    report.say(&format!("{target}: neither ADDRESS:PORT nor a path"))?;
    Ok(exit::USAGE)
}

fn done(report: &mut Report<'_>, call: &str, target: &str, outcome: io::Result<()>) -> io::Result<u8> {
    if let Err(error) = &outcome {
        report.complain(call, error)?;
    }
    let number = outcome.as_ref().err().and_then(errno);
    report.details(&json!({ "syscall": call, "address": target, "errno": number }))?;
    Ok(status(&outcome))
}
