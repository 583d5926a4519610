//! Fields that several of the routes take.

use gaia_core::knowledge::Chunker;
use serde_json::{Map, Value};

use crate::http::error::ApiError;
use crate::http::fields::{Fields, missing, must_be};
use crate::ingest::CHUNKER;

/// OpenAI's limit on the pairs of a note.
pub const PAIRS_MAX: usize = 16;
/// On the characters of a pair's name.
pub const KEY_CHARS_MAX: usize = 64;
/// And of its value, if that is a text.
pub const VALUE_CHARS_MAX: usize = 512;
const NAME_CHARS_MAX: usize = 256;
/// Days that an unused store may stay.
pub const DAYS_MAX: u32 = 365;

/// A text of so many characters at most.
pub fn take_text(fields: &mut Fields, name: &str) -> Result<Option<String>, ApiError> {
    let text = fields.string(name)?;
    if text.as_ref().is_some_and(|text| text.chars().count() > NAME_CHARS_MAX) {
        return Err(must_be(&fields.at(name), &format!("at most {NAME_CHARS_MAX} characters")));
    }
    Ok(text)
}

/// What a user notes of a store: texts.
pub fn take_metadata(fields: &mut Fields) -> Result<Option<Map<String, Value>>, ApiError> {
    take_pairs(fields, "metadata", is_short_text)
}

/// What a user notes of a file: texts, numbers, true and false.
pub fn take_attributes(fields: &mut Fields) -> Result<Option<Map<String, Value>>, ApiError> {
    let fits = |value: &Value| is_short_text(value) || value.is_number() || value.is_boolean();
    let pairs = take_pairs(fields, "attributes", fits)?;
    // Searches name an attribute by a path.
    let is_path = |key: &String| key.contains(['.', '[', ']', '"']);
    match pairs.iter().flat_map(Map::keys).find(|key| is_path(key)) {
        Some(key) => {
            Err(must_be(&fields.at("attributes"), &format!("without . [ ] \" in {key:?}")))
        }
        None => Ok(pairs),
    }
}

/// How files are cut; where nothing is said, as the node does it.
pub fn take_chunker(fields: &mut Fields) -> Result<Option<Chunker>, ApiError> {
    let Some(mut strategy) = fields.object("chunking_strategy")? else { return Ok(None) };
    let kind = strategy.word("type", &["auto", "static"])?;
    let kind = kind.ok_or_else(|| missing(&strategy.at("type")))?;
    let chunker = match strategy.object("static")? {
        Some(sizes) if kind == "static" => parse_sizes(sizes)?,
        None if kind == "auto" => CHUNKER,
        Some(_) => return Err(must_be(&strategy.at("type"), "\"static\" with sizes")),
        None => return Err(missing(&strategy.at("static"))),
    };
    strategy.finish(&[])?;
    Ok(Some(chunker))
}

/// Days after which an unused store goes.
pub fn take_expiry(fields: &mut Fields) -> Result<Option<u32>, ApiError> {
    let Some(mut expiry) = fields.object("expires_after")? else { return Ok(None) };
    let anchor = expiry.word("anchor", &["last_active_at"])?;
    anchor.ok_or_else(|| missing(&expiry.at("anchor")))?;
    let days = expiry.integer("days", 1..=DAYS_MAX)?;
    let days = days.ok_or_else(|| missing(&expiry.at("days")))?;
    expiry.finish(&[])?;
    Ok(Some(days))
}

/// Ids of files, each once.
pub fn take_ids(fields: &mut Fields, most: usize) -> Result<Option<Vec<String>>, ApiError> {
    let Some(list) = fields.list("file_ids")? else { return Ok(None) };
    let wrong =
        || must_be(&fields.at("file_ids"), &format!("a list of at most {most} ids of files"));
    if list.len() > most {
        return Err(wrong());
    }
    let mut ids = vec![];
    for value in list {
        let id = value.as_str().ok_or_else(wrong)?.to_owned();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(Some(ids))
}

fn parse_sizes(mut sizes: Fields) -> Result<Chunker, ApiError> {
    let tokens_max = sizes.integer("max_chunk_size_tokens", 100..=4096)?;
    let tokens_max = tokens_max.ok_or_else(|| missing(&sizes.at("max_chunk_size_tokens")))?;
    let overlap_tokens = sizes.integer("chunk_overlap_tokens", 0..=tokens_max / 2)?;
    let overlap_tokens =
        overlap_tokens.ok_or_else(|| missing(&sizes.at("chunk_overlap_tokens")))?;
    sizes.finish(&[])?;
    Ok(Chunker { tokens_max, overlap_tokens })
}

fn take_pairs(
    fields: &mut Fields,
    name: &str,
    fits: impl Fn(&Value) -> bool,
) -> Result<Option<Map<String, Value>>, ApiError> {
    let Some(object) = fields.object(name)? else { return Ok(None) };
    let pairs = object.into_map();
    let is_key = |key: &String| (1..=KEY_CHARS_MAX).contains(&key.chars().count());
    if pairs.len() > PAIRS_MAX || !pairs.keys().all(is_key) {
        let what =
            format!("at most {PAIRS_MAX} pairs with keys of 1 to {KEY_CHARS_MAX} characters");
        return Err(must_be(&fields.at(name), &what));
    }
    match pairs.iter().find(|(_, value)| !fits(value)) {
        Some((key, _)) => {
            let what = format!("a plain value, a text of at most {VALUE_CHARS_MAX} characters");
            Err(must_be(&fields.at(&format!("{name}.{key}")), &what))
        }
        None => Ok(Some(pairs)),
    }
}

fn is_short_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.chars().count() <= VALUE_CHARS_MAX)
}
