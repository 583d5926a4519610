//! Cancellation from another thread.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};

use super::error::StartError;

/// The side that a job looks at. A copy looks at the same handle.
#[derive(Clone, Debug)]
pub struct Cancel {
    bell: Option<Arc<Bell>>,
}

#[derive(Debug)]
struct Bell {
    rung: AtomicBool,
    event: OwnedFd,
}

/// The side that cancels: by [`cancel`](Self::cancel), or by being dropped before
/// [`keep`](Self::keep), so that a caller who goes away takes its job along.
#[derive(Debug)]
pub struct CancelHandle {
    bell: Arc<Bell>,
    kept: bool,
}

impl Cancel {
    /// A handle and the side to pass to [`Jail::run`](super::Jail::run).
    ///
    /// # Errors
    /// The process has no file descriptor left.
    pub fn pair() -> Result<(CancelHandle, Self), StartError> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(StartError::system("make a cancel handle"))?;
        let bell = Arc::new(Bell { rung: AtomicBool::new(false), event });
        Ok((CancelHandle { bell: bell.clone(), kept: false }, Self { bell: Some(bell) }))
    }

    /// For a job that nobody cancels.
    pub fn never() -> Self {
        Self { bell: None }
    }

    /// Was it cancelled?
    pub fn is_cancelled(&self) -> bool {
        self.bell.as_ref().is_some_and(|bell| bell.rung.load(Ordering::Acquire))
    }

    /// Readable once it is cancelled.
    pub(crate) fn event(&self) -> Option<BorrowedFd<'_>> {
        self.bell.as_ref().map(|bell| bell.event.as_fd())
    }
}

impl CancelHandle {
    /// Ends the job, now or when it starts. Once is enough.
    pub fn cancel(&self) {
        if !self.bell.rung.swap(true, Ordering::AcqRel) {
            // The counter was zero, so the write can't be refused.
            let _ = rustix::io::write(&self.bell.event, &1u64.to_ne_bytes());
        }
    }

    /// Lets the job go on when the handle is dropped.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for CancelHandle {
    fn drop(&mut self) {
        if !self.kept {
            self.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_cancels_once_called() {
        let (handle, cancel) = Cancel::pair().expect("a descriptor");
        assert!(!cancel.is_cancelled());
        handle.cancel();
        handle.cancel();
        assert!(cancel.is_cancelled());
    }

    #[test]
    fn a_dropped_handle_cancels_and_a_kept_one_does_not() {
        let (handle, cancel) = Cancel::pair().expect("a descriptor");
        drop(handle);
        assert!(cancel.is_cancelled());
        let (handle, cancel) = Cancel::pair().expect("a descriptor");
        handle.keep();
        assert!(!cancel.is_cancelled());
    }

    #[test]
    fn never_is_never() {
        assert!(!Cancel::never().is_cancelled());
        assert!(Cancel::never().event().is_none());
    }
}
