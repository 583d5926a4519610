//! GGUF files of random numbers: no registry carries trained ones of the size that tests want.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What is read of another file: its keys stand before its tensors.
const KEYS_BYTES_MAX: u64 = 64 << 20;

/// A file to be written.
#[derive(Default)]
pub struct Gguf {
    /// Each as it stands in the file.
    keys: Vec<Vec<u8>>,
    tensors: Vec<(String, Vec<u64>)>,
}

impl Gguf {
    /// Adds a number.
    pub fn number(&mut self, key: &str, value: u64) {
        self.key(key, 4, &(value as u32).to_le_bytes());
    }

    /// Adds a number with a fraction.
    pub fn fraction(&mut self, key: &str, value: f32) {
        self.key(key, 6, &value.to_le_bytes());
    }

    /// Adds a truth.
    pub fn flag(&mut self, key: &str) {
        self.key(key, 7, &[1]);
    }

    /// Adds a text.
    pub fn word(&mut self, key: &str, value: &str) {
        self.key(key, 8, &text(value));
    }

    /// Adds a list of numbers with fractions.
    pub fn fractions(&mut self, key: &str, values: &[f32]) {
        let values: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.list(key, 6, &values);
    }

    /// Adds a list of numbers.
    pub fn numbers(&mut self, key: &str, values: &[i32]) {
        let values: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.list(key, 5, &values);
    }

    /// Adds a tensor of random numbers.
    pub fn tensor(&mut self, name: &str, shape: &[u64]) {
        self.tensors.push((name.to_owned(), shape.to_vec()));
    }

    /// Takes over the keys of another file that begin so.
    ///
    /// # Panics
    /// That is no GGUF file.
    pub fn copy(&mut self, file: &Path, start: &str) {
        let mut bytes = vec![];
        let file = File::open(file).expect("the file is there");
        file.take(KEYS_BYTES_MAX).read_to_end(&mut bytes).expect("the file is readable");
        let mut reader = Reader { bytes: &bytes[16..] };
        for _ in 0..reader.number() {
            let before = reader.bytes;
            let key = reader.text();
            let kind = reader.kind();
            reader.skip(kind);
            if key.starts_with(start.as_bytes()) {
                self.keys.push(before[..before.len() - reader.bytes.len()].to_vec());
            }
        }
    }

    /// Writes the file. The same numbers each time.
    ///
    /// # Panics
    /// The path is not writable.
    pub fn write(&self, path: &Path) {
        let mut file = [
            b"GGUF".to_vec(),
            3_u32.to_le_bytes().to_vec(),
            (self.tensors.len() as u64).to_le_bytes().to_vec(),
            (self.keys.len() as u64).to_le_bytes().to_vec(),
            self.keys.concat(),
        ]
        .concat();
        let mut offset = 0_u64;
        for (name, shape) in &self.tensors {
            file.extend(text(name));
            file.extend((shape.len() as u32).to_le_bytes());
            file.extend(shape.iter().flat_map(|side| side.to_le_bytes()));
            file.extend(0_u32.to_le_bytes());
            file.extend(offset.to_le_bytes());
            offset += (shape.iter().product::<u64>() * 4).next_multiple_of(32);
        }
        file.resize(file.len().next_multiple_of(32), 0);
        let mut random = 7_u32;
        for (name, shape) in &self.tensors {
            let is_norm = name.contains("ln") && name.ends_with("weight") || name.contains("norm");
            for _ in 0..shape.iter().product::<u64>() {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let number = (random >> 8) as f32 / (1 << 24) as f32 * 0.4 - 0.2;
                file.extend((number + if is_norm { 1.0 } else { 0.0 }).to_le_bytes());
            }
            file.resize(file.len().next_multiple_of(32), 0);
        }
        std::fs::write(path, file).expect("the folder is writable");
    }

    fn key(&mut self, key: &str, kind: u32, value: &[u8]) {
        self.keys.push([&text(key), &kind.to_le_bytes()[..], value].concat());
    }

    /// A list of numbers of four bytes each.
    fn list(&mut self, key: &str, kind: u32, values: &[u8]) {
        let count = (values.len() as u64 / 4).to_le_bytes();
        self.key(key, 9, &[&kind.to_le_bytes()[..], &count, values].concat());
    }
}

/// A string as GGUF has it.
fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

/// Reads the keys of a file.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.bytes.split_at(count);
        self.bytes = rest;
        taken
    }

    fn number(&mut self) -> u64 {
        u64::from_le_bytes(self.take(8).try_into().expect("eight bytes"))
    }

    fn kind(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().expect("four bytes"))
    }

    fn text(&mut self) -> &'a [u8] {
        let length = self.number() as usize;
        self.take(length)
    }

    fn skip(&mut self, kind: u32) {
        let bytes = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            10..=12 => 8,
            8 => self.number() as usize,
            9 => {
                let kind = self.kind();
                return (0..self.number()).for_each(|_| self.skip(kind));
            }
            other => panic!("{other} is no type of GGUF"),
        };
        self.take(bytes);
    }
}
