//! GGUF files of random numbers: no registry carries trained ones of the size that tests want.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What is read of another file for its keys, which stand before its tensors.
const KEYS_BYTES_MAX: u64 = 64 << 20;

const ALIGNMENT: usize = 32;
const FLOAT32: u32 = 0;

/// A file to be written.
#[derive(Default)]
pub struct Gguf {
    /// Each as it stands in the file.
    keys: Vec<Vec<u8>>,
    tensors: Vec<Tensor>,
}

struct Tensor {
    name: String,
    shape: Vec<u64>,
    kind: u32,
    /// Its numbers as they stand in a file; `None`: random ones.
    data: Option<Vec<u8>>,
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

    /// Adds a list of texts.
    pub fn words(&mut self, key: &str, values: &[String]) {
        let count = (values.len() as u64).to_le_bytes();
        let values: Vec<u8> = values.iter().flat_map(|value| text(value)).collect();
        self.key(key, 9, &[&8_u32.to_le_bytes()[..], &count, &values].concat());
    }

    /// Adds a tensor of random numbers.
    pub fn tensor(&mut self, name: &str, shape: &[u64]) {
        let (name, shape) = (name.to_owned(), shape.to_vec());
        self.tensors.push(Tensor { name, shape, kind: FLOAT32, data: None });
    }

    /// Adds a tensor of these numbers.
    pub fn tensor_of(&mut self, name: &str, shape: &[u64], numbers: &[f32]) {
        let (name, shape) = (name.to_owned(), shape.to_vec());
        let data = Some(numbers.iter().flat_map(|number| number.to_le_bytes()).collect());
        self.tensors.push(Tensor { name, shape, kind: FLOAT32, data });
    }

    /// Takes over the keys of another file that begin so.
    ///
    /// # Panics
    /// That is no GGUF file.
    pub fn copy(&mut self, file: &Path, start: &str) {
        let mut bytes = vec![];
        let file = File::open(file).expect("the file is there");
        file.take(KEYS_BYTES_MAX).read_to_end(&mut bytes).expect("the file is readable");
        self.keys_of(&mut Reader { bytes: &bytes[16..] }, |key| key.starts_with(start.as_bytes()));
    }

    /// Takes over another file but for one key.
    ///
    /// # Panics
    /// That is no GGUF file with the usual alignment.
    pub fn copy_but(&mut self, file: &Path, left_out: &str) {
        let bytes = std::fs::read(file).expect("the file is readable");
        let mut reader = Reader { bytes: &bytes[8..] };
        let tensors = reader.number();
        self.keys_of(&mut reader, |key| key != left_out.as_bytes());
        let infos: Vec<_> = (0..tensors).map(|_| reader.tensor()).collect();
        let start = (bytes.len() - reader.bytes.len()).next_multiple_of(ALIGNMENT);
        let data = &bytes[start..];
        for (tensor, offset) in &infos {
            let behind = infos.iter().map(|(_, other)| *other).filter(|other| other > offset);
            let end = behind.min().unwrap_or(data.len());
            let (name, shape) = (tensor.name.clone(), tensor.shape.clone());
            let data = Some(data[*offset..end].to_vec());
            self.tensors.push(Tensor { name, shape, kind: tensor.kind, data });
        }
    }

    fn keys_of(&mut self, reader: &mut Reader<'_>, takes: impl Fn(&[u8]) -> bool) {
        for _ in 0..reader.number() {
            let before = reader.bytes;
            let key = reader.text();
            let kind = reader.kind();
            reader.skip(kind);
            if takes(key) {
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
        for tensor in &self.tensors {
            file.extend(text(&tensor.name));
            file.extend((tensor.shape.len() as u32).to_le_bytes());
            file.extend(tensor.shape.iter().flat_map(|side| side.to_le_bytes()));
            file.extend(tensor.kind.to_le_bytes());
            file.extend(offset.to_le_bytes());
            offset += tensor.bytes().next_multiple_of(ALIGNMENT as u64);
        }
        file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
        let mut random = 7_u32;
        for tensor in &self.tensors {
            match &tensor.data {
                Some(data) => file.extend(data),
                None => tensor.numbers(&mut random).for_each(|number| file.extend(number)),
            }
            file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
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

impl Tensor {
    fn bytes(&self) -> u64 {
        let random = || self.shape.iter().product::<u64>() * 4;
        self.data.as_ref().map_or_else(random, |data| data.len() as u64)
    }

    fn numbers(&self, random: &mut u32) -> impl Iterator<Item = [u8; 4]> {
        let name = &self.name;
        let is_norm = name.contains("ln") && name.ends_with("weight") || name.contains("norm");
        (0..self.shape.iter().product::<u64>()).map(move |_| {
            *random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let number = (*random >> 8) as f32 / (1 << 24) as f32 * 0.4 - 0.2;
            (number + if is_norm { 1.0 } else { 0.0 }).to_le_bytes()
        })
    }
}

/// A string as GGUF has it.
fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

/// Reads the header of a file.
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

    /// What is said of a tensor, and where its numbers begin.
    fn tensor(&mut self) -> (Tensor, usize) {
        let name = String::from_utf8_lossy(self.text()).into_owned();
        let shape = (0..self.kind()).map(|_| self.number()).collect();
        let (kind, offset) = (self.kind(), self.number() as usize);
        (Tensor { name, shape, kind, data: None }, offset)
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
