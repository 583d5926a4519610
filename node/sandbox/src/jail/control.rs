//! File descriptors through the socket between the node and its launcher.
//!
//! The node sends three with the first byte; the launcher answers with the job's disk; a second byte
//! of the node starts the job; end of file, in the life of the job, ends it.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// As many as one message carries here.
const FDS_MAX: usize = 3;

/// Sends one byte with descriptors.
///
/// # Errors
/// The other side is gone.
pub fn send(socket: &UnixStream, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::other("too many descriptors for one message"));
    }
    sendmsg(socket, &[IoSlice::new(b"+")], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives one byte with exactly `N` descriptors.
///
/// # Errors
/// The other side is gone, or sent another number of descriptors.
pub fn receive<const N: usize>(socket: &UnixStream) -> io::Result<[OwnedFd; N]> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut slices = [IoSliceMut::new(&mut byte)];
    let message = recvmsg(socket, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    if message.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let rights = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let fds: Vec<OwnedFd> = rights.flatten().collect();
    fds.try_into().map_err(|_| io::Error::other("another number of descriptors than agreed"))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_peer_that_is_gone_is_an_error() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        drop(theirs);
        assert!(send(&ours, &[]).is_err());
        assert!(receive::<1>(&ours).is_err());
    }

    #[test]
    fn the_number_of_descriptors_is_agreed() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        send(&ours, &[ours.as_fd()]).expect("sent");
        assert!(receive::<2>(&theirs).is_err());
        send(&ours, &[ours.as_fd(), ours.as_fd()]).expect("sent");
        assert!(receive::<2>(&theirs).is_ok());
        send(&ours, &[]).expect("sent");
        assert!(receive::<0>(&theirs).is_ok());
    }
}
