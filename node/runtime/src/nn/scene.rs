//! Reads a prompt that shows pictures: text, and pictures between marks or in tags.

use std::borrow::Cow;

use gaia_protocol::{PICTURE_MARK, PICTURES_MAX, Picture};

use super::errno::Errno;
use super::model::Refusal;
use super::options::Options;
use crate::port::{PictureReader, Pictures};

/// A part of a prompt.
pub(super) enum Piece<'a> {
    Text(&'a str),
    Picture(Cow<'a, Picture>),
}

/// Whether a prompt shows pictures, if these are its pictures.
pub(super) fn shows(prompt: &str, pictures: Pictures<'_>, options: &Options) -> bool {
    match pictures {
        Pictures::Beside(_) => options.pictures && prompt.contains(PICTURE_MARK),
        Pictures::Within(_) => first_tag(prompt).is_some(),
    }
}

/// The parts of a prompt, in their order. No text is empty.
///
/// # Errors
/// A mark is alone, or a number is none of a picture's; or a picture can't be read, or there are more
/// than [`PICTURES_MAX`].
pub(super) fn pieces<'a>(
    prompt: &'a str,
    pictures: Pictures<'a>,
) -> Result<Vec<Piece<'a>>, Refusal> {
    let mut pieces = match pictures {
        Pictures::Beside(list) => between_marks(prompt, list)?,
        Pictures::Within(read) => in_tags(prompt, read)?,
    };
    pieces.retain(|piece| !matches!(piece, Piece::Text("")));
    Ok(pieces)
}

/// Pictures whose numbers stand between marks.
fn between_marks<'a>(prompt: &'a str, pictures: &'a [Picture]) -> Result<Vec<Piece<'a>>, Refusal> {
    if !prompt.matches(PICTURE_MARK).count().is_multiple_of(2) {
        return Err(refuse("a mark of a picture is alone".into()));
    }
    let piece = |(place, words): (usize, &'a str)| {
        if place.is_multiple_of(2) {
            return Ok(Piece::Text(words));
        }
        let picture = words.parse().ok().and_then(|number: usize| pictures.get(number));
        let picture = picture.ok_or_else(|| refuse(format!("there is no picture {words:?}")))?;
        Ok(Piece::Picture(Cow::Borrowed(picture)))
    };
    prompt.split(PICTURE_MARK).enumerate().map(piece).collect()
}

/// Pictures in tags, as the stock plugin has them: `<img src="data:image/png;base64,…">`. It reads the
/// first one alone.
fn in_tags<'a>(prompt: &'a str, read: &PictureReader) -> Result<Vec<Piece<'a>>, Refusal> {
    let (mut pieces, mut rest) = (vec![], prompt);
    while let Some(Tag { before, letters, after }) = first_tag(rest) {
        if pieces.len() >= 2 * PICTURES_MAX {
            return Err(unread(format!("a prompt shows {PICTURES_MAX} pictures at most")));
        }
        let picture = read(letters).map_err(unread)?;
        pieces.extend([Piece::Text(before), Piece::Picture(Cow::Owned(picture))]);
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

/// A picture in a prompt.
struct Tag<'a> {
    before: &'a str,
    /// Base64.
    letters: &'a str,
    after: &'a str,
}

/// What is not closed is no tag.
fn first_tag(prompt: &str) -> Option<Tag<'_>> {
    let (before, tag) = prompt.split_once("<img src=\"data:image/")?;
    let (_, letters) = tag.split_once(";base64,")?;
    let (letters, after) = letters.split_once("\">")?;
    Some(Tag { before, letters, after })
}

/// Who runs a command reads its log.
fn unread(reason: String) -> Refusal {
    tracing::warn!(reason, "a picture in a guest's prompt is not taken");
    refuse(reason)
}

fn refuse(reason: String) -> Refusal {
    Refusal { errno: Errno::InvalidArgument, reason: Some(reason) }
}
