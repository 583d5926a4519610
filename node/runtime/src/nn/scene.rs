//! Reads a prompt that shows pictures: text and, between marks, the numbers of pictures.

use gaia_protocol::{PICTURE_MARK, Picture};

use super::errno::Errno;
use super::model::{Refusal, Scene, Token};

/// Fills a scene from a prompt. `tokenize` makes tokens of a text between pictures.
///
/// # Errors
/// A mark is alone, or a number is none of a picture's; or what `tokenize` and the scene refuse.
pub(super) fn fill(
    scene: &mut dyn Scene,
    prompt: &str,
    pictures: &[Picture],
    tokenize: impl Fn(&str) -> Result<Vec<Token>, Errno>,
) -> Result<(), Refusal> {
    if !prompt.matches(PICTURE_MARK).count().is_multiple_of(2) {
        return Err(refuse("a mark of a picture is alone".into()));
    }
    let mut pieces = prompt.split(PICTURE_MARK);
    loop {
        let text = pieces.next().unwrap_or_default();
        if !text.is_empty() {
            scene.add_text(&tokenize(text)?);
        }
        let Some(number) = pieces.next() else { return Ok(()) };
        let picture = number.parse().ok().and_then(|number: usize| pictures.get(number));
        let picture = picture.ok_or_else(|| refuse(format!("there is no picture {number:?}")))?;
        scene.add_picture(picture)?;
    }
}

fn refuse(reason: String) -> Refusal {
    Refusal { errno: Errno::InvalidArgument, reason: Some(reason) }
}
