//! The frame around an app's work.

use std::process::ExitCode;

use gaia_protocol::{ErrorCode, GuestRequest};

use crate::{Events, Failure, Flow, GaiaHost, HostError, Sink, ffi};

/// Bytes of a request that the first call takes; a larger one costs a second call.
const REQUEST_BYTES_FIRST: usize = 32 << 10;

/// Waits for this instance's request, hands it to `work` and reports a failure as the last event.
/// Nothing follows either way, so [`Flow::Stop`] and [`Flow::Continue`] are the same to it.
/// Do all set-up before: while it waits here, the instance is warm and costs nothing.
///
/// Returns the code that `main` should return: failure if the host could not be told how it ended.
pub fn serve(
    work: impl FnOnce(GuestRequest, &mut Events<GaiaHost>) -> Result<Flow, Failure>,
) -> ExitCode {
    match try_serve(work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Waits for this instance's request. `None` means that there is none (any more): return from
/// `main`.
///
/// # Errors
/// [`HostError`] where there is no host, or it gave nothing readable (inside a [`Failure`]).
pub fn next_request() -> Result<Option<GuestRequest>, Failure> {
    let mut buffer = vec![0; REQUEST_BYTES_FIRST];
    let (mut errno, mut bytes) = ffi::next_request(&mut buffer);
    if errno == ffi::TOO_LARGE {
        buffer.resize(bytes, 0);
        (errno, bytes) = ffi::next_request(&mut buffer);
    }
    match errno {
        0 => parse(&buffer[..bytes.min(buffer.len())]).map(Some),
        ffi::NO_REQUEST => Ok(None),
        errno => Err(HostError::new("next_request", errno).into()),
    }
}

fn try_serve(
    work: impl FnOnce(GuestRequest, &mut Events<GaiaHost>) -> Result<Flow, Failure>,
) -> Result<(), Failure> {
    let mut events = Events::new(GaiaHost);
    match next_request() {
        Ok(None) => Ok(()),
        Ok(Some(request)) => report(work(request, &mut events), &mut events),
        Err(failure) => report(Err(failure), &mut events),
    }
}

fn report<S: Sink>(result: Result<Flow, Failure>, events: &mut Events<S>) -> Result<(), Failure> {
    let Err(failure) = result else { return Ok(()) };
    match events.emit(&failure.clone().into()) {
        Ok(_either_way_done) => Ok(()),
        Err(_unsent) => Err(failure),
    }
}

fn parse(json: &[u8]) -> Result<GuestRequest, Failure> {
    serde_json::from_slice(json).map_err(|error| {
        let message = format!("the app does not understand the node's request: {error}");
        Failure::new(ErrorCode::Internal, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Recorder;
    use gaia_protocol::Event;

    #[test]
    fn without_a_host_there_is_no_request() {
        let failure = next_request().expect_err("natively there is no host");
        assert!(failure.message.contains("inside a Gaia node only"), "{failure}");
    }

    #[test]
    fn a_foreign_request_is_refused_with_the_place() {
        let failure = parse(b"{\"model\":{},\"task\":{\"task\":\"paint\"}}").expect_err("foreign");
        assert_eq!(failure.code, ErrorCode::Internal);
        assert!(failure.message.contains("does not understand"), "{failure}");
    }

    #[test]
    fn a_failure_becomes_the_last_event() {
        let mut events = Events::new(Recorder::default());
        let failure = Failure::new(ErrorCode::Template, "no").at("messages");
        report(Err(failure.clone()), &mut events).expect("reported");
        assert_eq!(events.into_sink().events, [Event::from(failure)]);
    }

    #[test]
    fn a_failure_that_can_not_be_told_is_returned() {
        let mut events = Events::new(GaiaHost);
        let failure = Failure::new(ErrorCode::Internal, "broken");
        assert_eq!(report(Err(failure.clone()), &mut events), Err(failure));
    }
}
