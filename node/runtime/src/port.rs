//! The guest's side of the host functions: what one instance is working for.

use gaia_protocol::Picture;

use crate::ffi::EndGuest;
use crate::nn::{Errno, World};

/// Why a host function does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// The guest is told so.
    Errno(Errno),
    /// The guest ends here.
    End,
}

impl<T: Into<Errno>> From<T> for Halt {
    fn from(errno: T) -> Self {
        Self::Errno(errno.into())
    }
}

impl From<EndGuest> for Halt {
    fn from(_: EndGuest) -> Self {
        Self::End
    }
}

/// Whether waiting still makes sense. Asked before every wait.
pub(crate) trait Patience {
    /// `RuntimeError` once the request is cancelled, the guest's end once its time is up.
    fn check(&self) -> Result<(), Halt>;
}

/// Where requests come from and events go to: the pool, or nowhere in a command.
pub(crate) trait Port: Patience + Send {
    /// The request to serve; waits for it. `None`: there is none, or it was taken already.
    fn next_request(&mut self) -> Result<Option<&[u8]>, Halt>;
    /// The guest has copied the request: the next one asked for does not exist.
    fn request_taken(&mut self);
    /// Where the pictures of prompts are.
    fn pictures(&self) -> Pictures<'_> {
        Pictures::Beside(&[])
    }
    /// Hands an event over; waits for room.
    fn emit(&mut self, event: &[u8]) -> Result<Emitted, Halt>;
}

/// Makes a picture of the Base64 letters of its file. The error is for people.
pub type PictureReader = Box<dyn Fn(&str) -> Result<Picture, String> + Send>;

/// Where the pictures are that a prompt shows.
#[derive(Clone, Copy)]
pub(crate) enum Pictures<'a> {
    /// Beside the prompt, which tells their numbers.
    Beside(&'a [Picture]),
    /// In the prompt itself, as the stock plugin has them.
    Within(&'a PictureReader),
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emitted {
    /// It is on its way.
    Continue,
    /// Nobody listens any more.
    Stop,
}

/// The state of all host functions of one instance.
pub(crate) struct Guest {
    pub(crate) port: Box<dyn Port>,
    pub(crate) world: World,
}
