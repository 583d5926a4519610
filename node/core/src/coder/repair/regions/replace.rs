//! A model's answer in the place of regions: exactly these lines change, or nothing does and the model
//! hears why.

use std::collections::BTreeSet;

use super::find::names_in;
use super::{Region, indent, shifted};
use crate::build::Files;
use crate::coder::items::{Item, What, scan};
use crate::coder::tokens::Kind;

/// Bytes of an answer's code.
const CODE_BYTES_MAX: usize = 64 << 10;

/// What an answer says before its code, and the code: that of the first fence, whether it is closed
/// or not, for the model may have been stopped there. A second fence belongs to it.
pub(in crate::coder::repair) fn code(answer: &str) -> Option<(String, String)> {
    let (mut words, mut code) = (String::new(), String::new());
    let mut is_inside = false;
    for line in answer.lines() {
        if line.trim_start().starts_with("```") {
            is_inside = !is_inside;
        } else if is_inside && code.len() + line.len() < CODE_BYTES_MAX {
            code.push_str(line);
            code.push('\n');
        } else if !is_inside && code.is_empty() {
            words.push_str(line);
            words.push('\n');
        }
    }
    (!code.trim().is_empty()).then_some((words, code))
}

/// The files with an answer's code in the place of the regions.
///
/// # Errors
/// Why it can't be: nothing is changed then.
pub(in crate::coder::repair) fn replaced(
    files: &Files,
    regions: &[Region],
    code: &str,
) -> Result<Files, String> {
    let first = regions.first().ok_or("there is nothing to write anew")?;
    let mut changed = files.clone();
    if first.item.is_none() {
        put(&mut changed, first, code)?;
        return different(files, changed);
    }
    is_whole(code)?;
    let mut known = false;
    // Of two namesakes the likelier one is meant.
    let is_first = |(place, region): &(usize, &Region)| {
        regions.iter().position(|own| own.item == region.item) == Some(*place)
    };
    let meant = regions.iter().enumerate().filter(is_first).map(|(_, region)| region);
    // From the last to the first: the lines before a change keep their numbers.
    let mut order: Vec<_> = meant.collect();
    order.sort_by_key(|region| std::cmp::Reverse(region.lines));
    for region in order {
        if let Some(piece) = piece(&changed, region, (regions, code))? {
            put(&mut changed, region, &piece)?;
            known = true;
        }
    }
    if !known {
        let names: Vec<_> = regions.iter().filter_map(described).collect();
        let names = names.join(" or ");
        return Err(format!("the answer has no {names}: write it whole, from its first line on"));
    }
    import(&mut changed, &first.path, code);
    different(files, changed)
}

fn different(files: &Files, changed: Files) -> Result<Files, String> {
    match changed == *files {
        true => Err("the answer changes nothing".into()),
        false => Ok(changed),
    }
}

fn described(region: &Region) -> Option<String> {
    region.item.as_ref().map(|(what, name)| format!("{} `{name}`", what.name()))
}

/// An answer that was broken off is no item.
fn is_whole(code: &str) -> Result<(), String> {
    let mut depth = 0i64;
    for token in &scan(code).tokens {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth -= 1,
            _ => {}
        }
    }
    match depth {
        0 => Ok(()),
        _ => {
            Err("the brackets of the answer do not match, or it was too long: write shorter".into())
        }
    }
}

/// The part of the code that is to stand in a region's place, if there is one. What stands inside an item
/// that has a place of its own goes there with it.
fn piece(
    files: &Files,
    region: &Region,
    (regions, code): (&[Region], &str),
) -> Result<Option<String>, String> {
    let Some((what, name)) = &region.item else { return Ok(None) };
    let items = scan(code).items;
    let same = |item: &&Item| kind(item.what) == kind(*what) && item.name == *name;
    let goes_along = |item: &&Item| {
        around(&items, item).any(|outer| regions.iter().any(|region| is_of(region, outer)))
    };
    let mut own: Vec<_> = items.iter().filter(same).filter(|item| !goes_along(item)).collect();
    if own.iter().any(|item| is_loose(&items, item)) {
        own.retain(|item| is_loose(&items, item));
    }
    let mut own = own.into_iter().map(|item| lines_of(code, item));
    let Some(first) = own.next() else {
        return Ok((*what == What::Implementation).then(|| members(files, region, code)).flatten());
    };
    let others: Vec<_> = own.collect();
    if *what == What::Implementation {
        // A type has several: the one that begins in the same way.
        let head = |text: &str| text.lines().next().unwrap_or_default().to_owned();
        let wanted = head(&region.text(files));
        let mut all = [first.clone()].into_iter().chain(others);
        return Ok(Some(all.find(|text| head(text) == wanted).unwrap_or(first)));
    }
    match others.is_empty() {
        true => Ok(Some(first)),
        false => Err(format!("the answer has more than one `{name}`")),
    }
}

fn is_of(region: &Region, item: &Item) -> bool {
    let named = region.item.as_ref();
    named.is_some_and(|(what, name)| kind(*what) == kind(item.what) && *name == item.name)
}

/// The items that one stands in.
fn around<'a>(items: &'a [Item], inner: &'a Item) -> impl Iterator<Item = &'a Item> {
    let holds = |outer: &&Item| outer.bytes.0 <= inner.bytes.0 && inner.bytes.1 <= outer.bytes.1;
    items.iter().filter(holds).filter(move |outer| *outer != inner)
}

/// Whether it stands in no function.
fn is_loose(items: &[Item], item: &Item) -> bool {
    around(items, item).all(|outer| kind(outer.what) != What::Function)
}

fn kind(what: What) -> What {
    if what == What::Test { What::Function } else { what }
}

/// An implementation whose functions alone were written: each in the place of its namesake, the others
/// at the end.
fn members(files: &Files, region: &Region, code: &str) -> Option<String> {
    let mut text = region.text(files);
    let mut known = false;
    let items = scan(code).items;
    let functions = items.iter().filter(|item| item.what == What::Function);
    for item in functions.filter(|item| is_loose(&items, item)) {
        let own = scan(&text).items.into_iter();
        let own = own.filter(|own| own.what == What::Function).find(|own| own.name == item.name);
        let written = lines_of(code, item);
        let lines: Vec<_> = written.lines().collect();
        let (start, end) = match own {
            Some(own) => line_range(&text, &own),
            None => text.lines().count().checked_sub(1).map(|last| (last, last))?,
        };
        let all: Vec<_> = text.split_inclusive('\n').collect();
        text = [all[..start].concat(), shifted(&lines, "    "), all[end..].concat()].concat();
        known = true;
    }
    known.then_some(text)
}

/// The first line of an item and the one behind its last.
fn line_range(text: &str, item: &Item) -> (usize, usize) {
    let line = |byte: usize| text[..text.floor_char_boundary(byte)].matches('\n').count();
    (line(item.bytes.0), line(item.bytes.1.saturating_sub(1)) + 1)
}

fn lines_of(text: &str, item: &Item) -> String {
    let (start, end) = line_range(text, item);
    let lines: Vec<_> = text.lines().skip(start).take(end.saturating_sub(start)).collect();
    shifted(&lines, "")
}

/// Puts code in a region's place, as far to the right as that was. Attributes that the code leaves
/// out stay.
fn put(files: &mut Files, region: &Region, code: &str) -> Result<(), String> {
    let text = files.get(&region.path).ok_or("the file is gone")?;
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let end = region.lines.1.min(lines.len());
    if region.lines.0 > end {
        return Err("the lines to write anew are not there".into());
    }
    let old: Vec<_> = lines[region.lines.0..end].iter().map(|line| line.trim_end()).collect();
    let mut new: Vec<_> = code.lines().collect();
    while new.first().is_some_and(|line| line.trim().is_empty()) {
        new.remove(0);
    }
    while new.last().is_some_and(|line| line.trim().is_empty()) {
        new.pop();
    }
    let is_attribute = |line: &&&str| line.trim_start().starts_with("#[");
    let kept = match new.first() {
        Some(line) if region.item.is_some() && !is_attribute(&line) => {
            old.iter().take_while(is_attribute).count()
        }
        _ => 0,
    };
    let mut changed: String = lines[..region.lines.0 + kept].concat();
    changed.push_str(&shifted(&new, &indent(&old)));
    let rest = lines[end..].concat();
    if rest.is_empty() && !text.ends_with('\n') {
        changed.pop();
    }
    changed.push_str(&rest);
    files.insert(region.path.clone(), changed);
    Ok(())
}

/// Imports beside the item go to those of the file, unless it has their names.
fn import(files: &mut Files, path: &str, code: &str) {
    let Some(text) = files.get_mut(path) else { return };
    let own: String = text.lines().filter(|line| is_import(line)).collect::<Vec<_>>().join("\n");
    let known: BTreeSet<String> = names_in(&own).into_iter().map(str::to_owned).collect();
    for line in code.lines().filter(|line| is_import(line) && line.ends_with(';')) {
        let brought = line.rsplit("::").next().unwrap_or(line);
        let is_relative = line.starts_with("use super") || line.starts_with("use self");
        let is_new = names_in(brought).into_iter().any(|name| !known.contains(name));
        if is_new && !is_relative && !brought.contains('*') {
            let place = import_place(text);
            text.insert_str(place, &format!("{line}\n"));
        }
    }
}

fn is_import(line: &str) -> bool {
    line.starts_with("use ")
}

/// The first line that may be an import.
fn import_place(text: &str) -> usize {
    let mut place = 0;
    for line in text.split_inclusive('\n') {
        let is_inner = line.starts_with("#!") || line.starts_with("//!") || line.trim().is_empty();
        if !is_inner {
            return place;
        }
        place += line.len();
    }
    place
}
