//! Waiting on many pipes at once.

use std::io::{Error, ErrorKind, PipeReader, Result};
use std::os::fd::AsRawFd;

/// Waits until one of the pipes can be read or is closed; says which.
pub(crate) fn wait_readable<'a>(pipes: impl Iterator<Item = &'a PipeReader>) -> Result<Vec<bool>> {
    let mut list: Vec<libc::pollfd> = pipes
        .map(|pipe| libc::pollfd { fd: pipe.as_raw_fd(), events: libc::POLLIN, revents: 0 })
        .collect();
    let length = libc::nfds_t::try_from(list.len()).expect("there are fewer pipes than that");
    loop {
        // SAFETY: the list holds `length` entries, and the caller's borrows keep the pipes open.
        let found = unsafe { libc::poll(list.as_mut_ptr(), length, -1) };
        if found >= 0 {
            return Ok(list.iter().map(|entry| entry.revents != 0).collect());
        }
        let error = Error::last_os_error();
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
