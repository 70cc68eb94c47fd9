//! Messages that carry their own address.

use std::os::fd::{AsRawFd, OwnedFd};

use super::super::notify::Reply;
use super::super::run::{Run, Served};
use super::super::sys::{self, Errno, Sys};
use super::net::Socket;

/// Largest datagram that is sent on a process's behalf, in bytes.
const PAYLOAD_MAX: usize = 1 << 20;
/// Most pieces of one message (`UIO_MAXIOV`), and largest control data.
const PIECES_MAX: u64 = 1024;
const CONTROL_MAX: u64 = 1 << 16;

/// Length of `struct msghdr`; in `struct mmsghdr` the count of bytes sent follows it.
const HEADER: usize = 56;

/// A message as it stands in the process's memory.
struct Message {
    name: (u64, u64),
    payload: Vec<u8>,
    control: Vec<u8>,
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let word = bytes.get(at..at + 8).and_then(|word| word.try_into().ok());
    word.map_or(0, u64::from_ne_bytes)
}

impl Run<'_> {
    pub(super) fn send(&mut self, served: &Served) -> Sys<Reply> {
        let flags = match served.call.name {
            "sendmsg" => served.int(2),
            _ => served.int(3),
        };
        let socket = Socket::of(served)?;
        if matches!(socket.kind, libc::SOCK_STREAM) {
            // Streams go where they are connected to, whatever the message says; but this connects them.
            return if flags & libc::MSG_FASTOPEN != 0 { Err(Errno(libc::EOPNOTSUPP)) } else { Ok(Reply::Continue) };
        }
        // Nobody but the kernel is at the other end.
        if socket.domain == libc::AF_NETLINK as u16 {
            return Ok(Reply::Continue);
        }
        let message = match served.call.name {
            "sendto" => Message {
                name: (served.arg(4), served.arg(5)),
                payload: self.piece(served, served.arg(1), served.arg(2))?,
                control: Vec::new(),
            },
            _ => self.message(served, served.arg(1))?,
        };
        if served.call.name == "sendmmsg" && served.int(2) <= 0 {
            return Ok(Reply::Value(0));
        }
        self.still(served)?;
        let (address, held) = match message.name {
            (0, _) | (_, 0) => (Vec::new(), None),
            (address, length) => {
                let bytes = self.read_address(served, address, length)?;
                self.ask_outbound(served, &socket, bytes)?
            }
        };
        let (control, passed) = self.translate(served, message.control)?;
        let waits = flags & libc::MSG_DONTWAIT == 0 && sys::file_flags(&socket.fd)? & libc::O_NONBLOCK == 0;
        let (task, result) = (served.task, served.arg(1).wrapping_add(HEADER as u64));
        let many = served.call.name == "sendmmsg";
        let attempt = move || {
            let _held = (&held, &passed);
            match sys::send_to(&socket.fd, &message.payload, &control, &address, flags | libc::MSG_DONTWAIT) {
                // One message is sent, whose length stands behind its header; the caller comes again with the others.
                Ok(sent) if many => {
                    task.write(result, &(sent as u32).to_ne_bytes())?;
                    Ok(Some(Reply::Value(1)))
                }
                Ok(sent) => Ok(Some(Reply::Value(sent))),
                Err(Errno(libc::EAGAIN)) if waits => Ok(None),
                Err(error) => Err(error),
            }
        };
        self.workers.retry(&self.listener, served.id, attempt)
    }

    fn piece(&self, served: &Served, address: u64, length: u64) -> Sys<Vec<u8>> {
        let length = usize::try_from(length).ok().filter(|length| *length <= PAYLOAD_MAX);
        served.task.bytes(address, length.ok_or(Errno(libc::EMSGSIZE))?)
    }

    fn message(&self, served: &Served, address: u64) -> Sys<Message> {
        let header: [u8; HEADER] = served.task.array(address)?;
        let (pieces, count) = (word(&header, 16), word(&header, 24));
        let (control, control_length) = (word(&header, 32), word(&header, 40));
        if count > PIECES_MAX || control_length > CONTROL_MAX {
            return Err(Errno(libc::EMSGSIZE));
        }
        let mut payload = Vec::new();
        for piece in self.piece(served, pieces, count * 16)?.chunks_exact(16) {
            payload.extend(self.piece(served, word(piece, 0), word(piece, 8))?);
            if payload.len() > PAYLOAD_MAX {
                return Err(Errno(libc::EMSGSIZE));
            }
        }
        let control = if control == 0 { Vec::new() } else { self.piece(served, control, control_length)? };
        Ok(Message { name: (word(&header, 0), word(&header, 8) & 0xffff_ffff), payload, control })
    }

    /// Control data with the process's descriptors replaced by copies of them.
    fn translate(&self, served: &Served, mut control: Vec<u8>) -> Sys<(Vec<u8>, Vec<OwnedFd>)> {
        let mut copies = Vec::new();
        let mut at = 0;
        while let Some(header) = control.get(at..at + 16) {
            let length = usize::try_from(word(header, 0)).map_err(|_| Errno::INVAL)?;
            let kind = word(header, 8);
            if length < 16 || length > control.len() - at {
                return Err(Errno::INVAL);
            }
            // Level in the low half, type in the high one.
            if kind == libc::SOL_SOCKET as u64 | (libc::SCM_RIGHTS as u64) << 32 {
                let numbers = control.get_mut(at + 16..at + length).unwrap_or_default();
                for number in numbers.chunks_exact_mut(4) {
                    let theirs = <[u8; 4]>::try_from(&*number).map_or(-1, i32::from_ne_bytes);
                    let copy = served.task.copy_of(theirs)?;
                    number.copy_from_slice(&copy.as_raw_fd().to_ne_bytes());
                    copies.push(copy);
                }
            }
            at += length.next_multiple_of(8);
        }
        Ok((control, copies))
    }
}
