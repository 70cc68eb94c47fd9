//! Descriptors that go from process to process (`SCM_RIGHTS`): what is open may be used, whatever the profile says about opening it;
//! what opens or changes the file behind it again is judged by its path.

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

use super::child::{act, c, tell, tell_io};
use super::*;

const SPACE: usize = 24;

/// Sends `fd` with one byte.
fn send(socket: RawFd, fd: RawFd) -> libc::c_long {
    let mut control = [0u64; SPACE / 8];
    let mut byte = [b'x'];
    let mut piece = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    // SAFETY: every pointer is to a place on this stack that is as long as said.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        (message.msg_iov, message.msg_iovlen) = (&raw mut piece, 1);
        (message.msg_control, message.msg_controllen) = (control.as_mut_ptr().cast(), SPACE as _);
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(4) as _;
        libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(fd);
        libc::sendmsg(socket, &raw const message, 0) as libc::c_long
    }
}

/// Waits for a byte with a descriptor.
fn receive(socket: RawFd) -> OwnedFd {
    let mut control = [0u64; SPACE / 8];
    let mut byte = [0u8];
    let mut piece = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    // SAFETY: every pointer is to a place on this stack that is as long as said; the descriptor was just received.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        (message.msg_iov, message.msg_iovlen) = (&raw mut piece, 1);
        (message.msg_control, message.msg_controllen) = (control.as_mut_ptr().cast(), SPACE as _);
        assert_eq!(libc::recvmsg(socket, &raw mut message, libc::MSG_CMSG_CLOEXEC), 1);
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        assert!(!header.is_null() && (*header).cmsg_type == libc::SCM_RIGHTS);
        OwnedFd::from_raw_fd(libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned())
    }
}

/// Inside: gets one descriptor, tries it, and sends two of its own back.
pub fn inside(folder: &str) {
    let stream = UnixStream::connect(format!("{folder}stream")).unwrap();
    let held = receive(stream.as_raw_fd());
    let file = File::from(held.try_clone().unwrap());
    tell_io("read", std::io::read_to_string(&file).map(|text| assert_eq!(text, "secret\n")));
    tell_io("status", file.metadata());
    let path = c(&format!("/proc/self/fd/{}", held.as_raw_fd()));
    // SAFETY: plain calls with strings that end with NUL.
    unsafe {
        tell("opened again", libc::open(path.as_ptr(), libc::O_RDONLY).into());
        tell("mode", libc::fchmod(held.as_raw_fd(), 0o600).into());
        tell("attribute", libc::fsetxattr(held.as_raw_fd(), c"user.x".as_ptr(), c"v".as_ptr().cast(), 1, 0).into());
        tell("new name", libc::link(path.as_ptr(), c(&format!("{folder}name")).as_ptr()).into());
    }
    let own = File::open(format!("{folder}open")).unwrap();
    tell("sent on a stream", send(stream.as_raw_fd(), own.as_raw_fd()));
    let datagram = UnixDatagram::unbound().unwrap();
    datagram.connect(format!("{folder}datagram")).unwrap();
    tell("sent as a datagram", send(datagram.as_raw_fd(), own.as_raw_fd()));
}

#[test]
fn what_is_open_may_be_used_and_not_opened_again() {
    let fixture = Fixture::new();
    let secret = File::open(fixture.file("secret", "secret\n")).unwrap();
    let open = fixture.file("open", "open\n").metadata().unwrap().ino();
    let stream = UnixListener::bind(fixture.host("stream")).unwrap();
    let datagram = UnixDatagram::bind(fixture.host("datagram")).unwrap();
    let rule =
        format!("(allow default)(deny file-read-data file-write* file-link (literal \"{}\"))", fixture.model("secret"));
    let outside = std::thread::spawn(move || {
        let (peer, _) = stream.accept().unwrap();
        send(peer.as_raw_fd(), secret.as_raw_fd());
        let received = [receive(peer.as_raw_fd()), receive(datagram.as_raw_fd())];
        received.map(|fd| File::from(fd).metadata().unwrap().ino())
    });
    let run = act(&rule, "handed", &fixture.host(""));
    let eperm = libc::EPERM;
    let wanted = [
        ("read", 0),
        ("status", 0),
        ("opened again", eperm),
        ("mode", eperm),
        ("attribute", eperm),
        // A symbolic link of the kernel is no name to link.
        ("new name", libc::EXDEV),
        ("sent on a stream", 0),
        ("sent as a datagram", 0),
    ];
    let found = run.results();
    let found: Vec<_> = found.iter().map(|(name, errno)| (name.as_str(), *errno)).collect();
    assert_eq!(found, wanted, "{} {:?}", run.stderr(), run.denied());
    assert_eq!(outside.join().unwrap(), [open, open]);
}
