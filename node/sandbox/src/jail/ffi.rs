//! The only place of this crate with `unsafe`: calls of the kernel whose rules no type can hold.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use rustix::thread::UnshareFlags;

/// Moves this process into namespaces of its own.
///
/// # Errors
/// The kernel's answer: no right to, or too many namespaces.
pub fn unshare(flags: UnshareFlags) -> io::Result<()> {
    debug_assert!(!flags.contains(UnshareFlags::FILES), "descriptors stay shared");
    // SAFETY: only `CLONE_FILES` would break what other threads hold, and it is never passed.
    unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(Into::into)
}

/// Takes over a descriptor that this process inherited for this very purpose.
///
/// # Errors
/// There is none by that number.
pub fn inherited(fd: RawFd) -> io::Result<OwnedFd> {
    if fd <= 2 || !std::path::Path::new(&format!("/proc/self/fd/{fd}")).exists() {
        return Err(io::Error::other(format!("descriptor {fd} was not passed on")));
    }
    // SAFETY: it is open, and the caller's parent passed it for the caller alone to own: nothing
    // else in this process, which has just started, knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Keeps every descriptor but the standard ones from the programs that this process starts, until
/// one is opened to them by name. Whoever started the node may have left some open.
///
/// # Errors
/// The kernel is older than Linux 5.11.
pub fn close_all_on_exec() -> io::Result<()> {
    let flags = libc::CLOSE_RANGE_CLOEXEC as libc::c_int;
    // SAFETY: nothing is closed now, and programs started later are told what they get.
    match unsafe { libc::close_range(3, libc::c_uint::MAX, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
