//! Why a document could not be read.

/// Why a document could not be read, and what its owner can do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// More bytes than [`Limits::bytes_max`](crate::Limits::bytes_max).
    #[error(
        "the file has {bytes} bytes, at most {bytes_max} are read: split it into smaller files"
    )]
    TooLarge {
        /// The file's bytes.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// More text than [`Limits::text_bytes_max`](crate::Limits::text_bytes_max).
    #[error("the text of the file is longer than {text_bytes_max} bytes: split the file")]
    TooMuchText {
        /// The limit, in bytes of UTF-8.
        text_bytes_max: usize,
    },
    /// More sections than [`Limits::sections_max`](crate::Limits::sections_max).
    #[error("the file has more than {sections_max} headings or items: split the file")]
    TooManySections {
        /// The limit.
        sections_max: usize,
    },
    /// More pages than [`Limits::pages_max`](crate::Limits::pages_max).
    #[error("the PDF has more than {pages_max} pages: split it")]
    TooManyPages {
        /// The limit.
        pages_max: usize,
    },
    /// Neither text nor a kind of document that can be read.
    #[error("{what} can't be read: {advice}")]
    Unsupported {
        /// What the file seems to be.
        what: String,
        /// What to do instead.
        advice: &'static str,
    },
    /// Text that is not Unicode.
    #[error(
        "the text is not UTF-8 (byte {offset} is wrong; it may be Latin-1 or Windows-1252): \
         convert it, for example with `iconv -f WINDOWS-1252 -t UTF-8`"
    )]
    NotUnicode {
        /// Where the first wrong byte stands, from the file's start.
        offset: usize,
    },
    /// An encrypted PDF, also one that opens without a password: its parts can't be checked.
    #[error(
        "the PDF is encrypted: save a copy without encryption, for example with `qpdf --decrypt`"
    )]
    Encrypted,
    /// A PDF of images, or one whose fonts do not say which characters they draw.
    #[error(
        "the PDF holds no text, only images or fonts without a character map: \
         run a text recognition over it first, for example `ocrmypdf`"
    )]
    NoTextInPdf,
    /// A PDF that no reader would understand.
    #[error(
        "the PDF is damaged ({why}): repair it, for example with `qpdf` or by printing it anew"
    )]
    DamagedPdf {
        /// What is wrong.
        why: String,
    },
    /// A PDF that grows beyond all measure when it is unpacked.
    #[error("the PDF unpacks to more than {unpacked_bytes_max} bytes: no honest text does")]
    Bomb {
        /// The limit, for all streams of a kind together.
        unpacked_bytes_max: usize,
    },
    /// Nothing but white space.
    #[error("the file holds no text")]
    Empty,
    /// The deadline passed.
    #[error("reading took longer than {time_max_ms} ms: split the file, or allow more time")]
    Deadline {
        /// [`Limits::time_max`](crate::Limits::time_max) in milliseconds.
        time_max_ms: u64,
    },
    /// As many documents are being read as may be, some of them perhaps after their deadline.
    #[error("{running} documents are being read already: try again later")]
    Busy {
        /// How many there are.
        running: usize,
    },
    /// A reader failed where it must not; the file is to be reported, not retried.
    #[error("the reader failed on this file: please report it with the file")]
    ReaderFailed,
}
