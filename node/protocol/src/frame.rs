//! Frames on the socket between host and worker.
//!
//! A frame is a 13-byte header, then its payload: length of the payload (u32), kind (u8) and
//! request id (u64), all little-endian. Requests are multiplexed by id; frames that concern the
//! worker as a whole carry id 0.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{ModelCard, Outcome, Picture, WorkerConfig, WorkerStats};

/// Bytes of a frame's header.
pub const HEADER_BYTES: usize = 13;

/// Bytes of a frame's payload at most: room for the largest request body that `host` takes.
pub const PAYLOAD_BYTES_MAX: usize = 64 << 20;

/// Why bytes are not a frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The length field is beyond [`PAYLOAD_BYTES_MAX`].
    #[error("a frame of {0} bytes is over the limit of {PAYLOAD_BYTES_MAX}")]
    TooLarge(usize),
    /// The kind field is unknown in this direction.
    #[error("unknown frame kind {0}")]
    UnknownKind(u8),
    /// The payload is not what the kind promises.
    #[error("payload of frame kind {kind}: {source}")]
    Payload {
        /// The frame's kind.
        kind: u8,
        /// What serde found.
        source: serde_json::Error,
    },
    /// The payload of a credit frame is not four bytes.
    #[error("a credit frame holds {0} bytes instead of 4")]
    Credit(usize),
    /// The payload of a picture frame is not as long as its width and height say.
    #[error("a picture frame of {0} bytes holds no picture")]
    Picture(usize),
}

/// A parsed header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the payload that follows.
    pub payload_bytes: usize,
    /// The frame's kind.
    pub kind: u8,
    /// The request it belongs to, 0 for none.
    pub id: u64,
}

impl Header {
    /// Parses a header.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`], before anything is allocated for the payload.
    pub fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Self, FrameError> {
        let [l0, l1, l2, l3, kind, id @ ..] = *bytes;
        let payload_bytes = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if payload_bytes > PAYLOAD_BYTES_MAX {
            return Err(FrameError::TooLarge(payload_bytes));
        }
        Ok(Self { payload_bytes, kind, id: u64::from_le_bytes(id) })
    }
}

/// What the host tells a worker.
#[derive(Clone, Debug, PartialEq)]
pub enum HostFrame {
    /// Load this; the first frame.
    Start(Box<WorkerConfig>),
    /// A picture of the request that follows; they come in the order of their numbers.
    Picture {
        /// The request.
        id: u64,
        /// The picture.
        picture: Picture,
    },
    /// Serve this request: the JSON of a [`crate::GuestRequest`].
    Request {
        /// Chosen by the host, unique while the request lives.
        id: u64,
        /// The guest's input, passed on unopened.
        body: Vec<u8>,
    },
    /// The client went away.
    Cancel {
        /// The request.
        id: u64,
    },
    /// The host has read this many more events.
    Credit {
        /// The request.
        id: u64,
        /// How many.
        events: u32,
    },
    /// Say how you are.
    Stats,
    /// Take nothing new, finish what runs, then exit.
    Drain,
}

/// What a worker tells the host.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkerFrame {
    /// Share of the model that is loaded, 0 to 1.
    Progress(f32),
    /// The model is loaded and the app is warm.
    Ready(Box<ModelCard>),
    /// The worker can't start, or can't go on; it exits after this.
    Fatal(String),
    /// One event: the JSON of a [`crate::Event`], as the guest wrote it.
    Event {
        /// The request.
        id: u64,
        /// The guest's output, passed on unopened: hostile until parsed.
        body: Vec<u8>,
    },
    /// The request's instance ended; nothing follows under this id.
    End {
        /// The request.
        id: u64,
        /// How.
        outcome: Outcome,
    },
    /// The answer to [`HostFrame::Stats`].
    Stats(WorkerStats),
}

mod kind {
    pub const START: u8 = 1;
    pub const REQUEST: u8 = 2;
    pub const CANCEL: u8 = 3;
    pub const CREDIT: u8 = 4;
    pub const STATS: u8 = 5;
    pub const DRAIN: u8 = 6;
    pub const PICTURE: u8 = 7;
    pub const PROGRESS: u8 = 65;
    pub const READY: u8 = 66;
    pub const FATAL: u8 = 67;
    pub const EVENT: u8 = 68;
    pub const END: u8 = 69;
    pub const WORKER_STATS: u8 = 70;
}

impl HostFrame {
    /// The frame's bytes, header included.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Start(config) => json_frame(kind::START, 0, config),
            Self::Picture { id, picture } => raw_frame(kind::PICTURE, *id, &picture.payload()),
            Self::Request { id, body } => raw_frame(kind::REQUEST, *id, body),
            Self::Cancel { id } => raw_frame(kind::CANCEL, *id, &[]),
            Self::Credit { id, events } => raw_frame(kind::CREDIT, *id, &events.to_le_bytes()),
            Self::Stats => raw_frame(kind::STATS, 0, &[]),
            Self::Drain => raw_frame(kind::DRAIN, 0, &[]),
        }
    }

    /// The frame that a header and its payload make.
    ///
    /// # Errors
    /// Every [`FrameError`] but [`FrameError::TooLarge`].
    pub fn decode(header: Header, payload: Vec<u8>) -> Result<Self, FrameError> {
        let id = header.id;
        Ok(match header.kind {
            kind::START => Self::Start(parse(header.kind, &payload)?),
            kind::PICTURE => Self::Picture { id, picture: Picture::parse(payload)? },
            kind::REQUEST => Self::Request { id, body: payload },
            kind::CANCEL => Self::Cancel { id },
            kind::CREDIT => Self::Credit { id, events: parse_credit(&payload)? },
            kind::STATS => Self::Stats,
            kind::DRAIN => Self::Drain,
            other => return Err(FrameError::UnknownKind(other)),
        })
    }
}

impl WorkerFrame {
    /// The frame's bytes, header included.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Progress(share) => json_frame(kind::PROGRESS, 0, share),
            Self::Ready(card) => json_frame(kind::READY, 0, card),
            Self::Fatal(message) => json_frame(kind::FATAL, 0, message),
            Self::Event { id, body } => raw_frame(kind::EVENT, *id, body),
            Self::End { id, outcome } => json_frame(kind::END, *id, outcome),
            Self::Stats(stats) => json_frame(kind::WORKER_STATS, 0, stats),
        }
    }

    /// The frame that a header and its payload make.
    ///
    /// # Errors
    /// Every [`FrameError`] but [`FrameError::TooLarge`].
    pub fn decode(header: Header, payload: Vec<u8>) -> Result<Self, FrameError> {
        let id = header.id;
        Ok(match header.kind {
            kind::PROGRESS => Self::Progress(parse(header.kind, &payload)?),
            kind::READY => Self::Ready(parse(header.kind, &payload)?),
            kind::FATAL => Self::Fatal(parse(header.kind, &payload)?),
            kind::EVENT => Self::Event { id, body: payload },
            kind::END => Self::End { id, outcome: parse(header.kind, &payload)? },
            kind::WORKER_STATS => Self::Stats(parse(header.kind, &payload)?),
            other => return Err(FrameError::UnknownKind(other)),
        })
    }
}

fn raw_frame(kind: u8, id: u64, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("senders keep payloads below 64 MiB");
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.push(kind);
    bytes.extend_from_slice(&id.to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

fn json_frame(kind: u8, id: u64, message: &impl Serialize) -> Vec<u8> {
    let payload = serde_json::to_vec(message).expect("our own messages have string keys only");
    raw_frame(kind, id, &payload)
}

fn parse<T: DeserializeOwned>(kind: u8, payload: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(payload).map_err(|source| FrameError::Payload { kind, source })
}

fn parse_credit(payload: &[u8]) -> Result<u32, FrameError> {
    let bytes = payload.try_into().map_err(|_| FrameError::Credit(payload.len()))?;
    Ok(u32::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(bytes: &[u8]) -> (Header, Vec<u8>) {
        let (header, payload) = bytes.split_at(HEADER_BYTES);
        let header = Header::parse(header.try_into().expect("13 bytes")).expect("a header");
        assert_eq!(header.payload_bytes, payload.len());
        (header, payload.to_vec())
    }

    #[test]
    fn host_frames_survive_the_socket() {
        let rgb = std::sync::Arc::new(vec![1, 2, 3, 4, 5, 6]);
        let picture = Picture::new(1, 2, rgb).expect("two pixels");
        for frame in [
            HostFrame::Picture { id: 7, picture },
            HostFrame::Request { id: 7, body: b"{}".to_vec() },
            HostFrame::Cancel { id: u64::MAX },
            HostFrame::Credit { id: 7, events: 32 },
            HostFrame::Stats,
            HostFrame::Drain,
        ] {
            let (header, payload) = split(&frame.encode());
            assert_eq!(HostFrame::decode(header, payload).expect("decodes"), frame);
        }
    }

    #[test]
    fn worker_frames_survive_the_socket() {
        for frame in [
            WorkerFrame::Progress(0.5),
            WorkerFrame::Fatal("no such file".into()),
            WorkerFrame::Event { id: 3, body: b"{\"event\":\"prompt\"}".to_vec() },
            WorkerFrame::End { id: 3, outcome: Outcome::Trap { message: "unreachable".into() } },
            WorkerFrame::Stats(WorkerStats::default()),
        ] {
            let (header, payload) = split(&frame.encode());
            assert_eq!(WorkerFrame::decode(header, payload).expect("decodes"), frame);
        }
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_it_is_allocated() {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(Header::parse(&bytes), Err(FrameError::TooLarge(_))));
    }

    #[test]
    fn foreign_kinds_and_payloads_are_named() {
        let header = |kind| Header { payload_bytes: 0, kind, id: 0 };
        assert!(matches!(
            HostFrame::decode(header(200), vec![]),
            Err(FrameError::UnknownKind(200))
        ));
        assert!(matches!(
            WorkerFrame::decode(header(kind::READY), b"[]".to_vec()),
            Err(FrameError::Payload { kind: kind::READY, .. })
        ));
        assert!(matches!(
            HostFrame::decode(header(kind::CREDIT), vec![1]),
            Err(FrameError::Credit(1))
        ));
    }
}
