//! Files that are no models, cut off or lie. Each is refused with its name; none ends the process.

use std::path::{Path, PathBuf};

use gaia_inference::{Engine, EngineConfig, EngineKind, LoadError};

/// A folder for one test, gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gaia-hostile-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary folder is writable");
        Self(path)
    }

    fn refused(&self, name: &str, bytes: &[u8]) -> LoadError {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).expect("the temporary folder is writable");
        refused(&path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder left behind does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn refused(path: &Path) -> LoadError {
    let config = EngineConfig::new(path, EngineKind::Generate);
    let error = Engine::load(&config, Box::new(|_| true)).err().expect("it is refused");
    let name = path.to_string_lossy();
    assert!(error.to_string().contains(&*name), "{error} does not name {name}");
    error
}

/// Writes GGUF files, right or wrong.
#[derive(Clone)]
struct Gguf {
    counts: Option<(u64, u64)>,
    pairs: Vec<Vec<u8>>,
    tensors: Vec<Vec<u8>>,
    data_bytes: usize,
}

impl Gguf {
    fn new() -> Self {
        Self { counts: None, pairs: vec![], tensors: vec![], data_bytes: 0 }
    }

    fn text(mut self, key: &str, value: &str) -> Self {
        self.pairs.push([string(key), 8_u32.to_le_bytes().to_vec(), string(value)].concat());
        self
    }

    fn number(mut self, key: &str, value: u32) -> Self {
        let kind = 4_u32.to_le_bytes().to_vec();
        self.pairs.push([string(key), kind, value.to_le_bytes().to_vec()].concat());
        self
    }

    fn tensor(mut self, name: &str, shape: &[u64], (kind, offset): (u32, u64)) -> Self {
        let mut tensor = string(name);
        tensor.extend(u32::try_from(shape.len()).expect("small").to_le_bytes());
        shape.iter().for_each(|length| tensor.extend(length.to_le_bytes()));
        tensor.extend(kind.to_le_bytes());
        tensor.extend(offset.to_le_bytes());
        self.tensors.push(tensor);
        self
    }

    fn data(mut self, bytes: usize) -> Self {
        self.data_bytes = bytes;
        self
    }

    fn claiming(mut self, tensors: u64, pairs: u64) -> Self {
        self.counts = Some((tensors, pairs));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let real = (self.tensors.len() as u64, self.pairs.len() as u64);
        let (tensors, pairs) = self.counts.unwrap_or(real);
        let mut file = [&b"GGUF"[..], &3_u32.to_le_bytes()].concat();
        file.extend(tensors.to_le_bytes());
        file.extend(pairs.to_le_bytes());
        file.extend(self.pairs.concat());
        file.extend(self.tensors.concat());
        file.resize(file.len().next_multiple_of(32) + self.data_bytes, 0);
        file
    }
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

const F32: u32 = 0;

#[test]
fn what_is_no_gguf_is_said_to_be_none() {
    let folder = Folder::new("foreign");
    let zip = b"PK\x03\x04 and so on and on";
    let cases: [(&str, &[u8]); 5] = [
        ("empty", b""),
        ("short", b"GG"),
        ("text", b"This is no model."),
        ("zip", zip),
        ("zeros", &[0; 99]),
    ];
    for (name, bytes) in cases {
        let error = folder.refused(name, bytes);
        assert!(matches!(error, LoadError::NotGguf { .. }), "{name}: {error}");
    }
}

#[test]
fn an_unknown_version_is_named() {
    let folder = Folder::new("version");
    for version in [0_u32, 1, 4, 99, 3 << 24] {
        let mut file = Gguf::new().tensor("t", &[8], (F32, 0)).data(32).bytes();
        file[4..8].copy_from_slice(&version.to_le_bytes());
        let error = folder.refused("version", &file);
        assert!(matches!(error, LoadError::NotGguf { .. }), "{error}");
        assert!(error.to_string().contains(&version.to_string()), "{error}");
    }
}

#[test]
fn a_header_cut_off_anywhere_is_damaged() {
    let folder = Folder::new("cut");
    let file =
        Gguf::new().text("general.architecture", "llama").tensor("t", &[8], (F32, 0)).bytes();
    for length in 8..file.len() - 32 {
        let error = folder.refused("cut", &file[..length]);
        assert!(matches!(error, LoadError::Damaged { .. }), "{length}: {error}");
    }
}

#[test]
fn counts_and_lengths_that_lie_are_damaged() {
    let folder = Folder::new("counts");
    let good =
        Gguf::new().text("general.architecture", "llama").tensor("t", &[8], (F32, 0)).data(32);
    for count in [3, 1 << 32, 1 << 62, u64::MAX] {
        for (tensors, pairs) in [(count, 1), (1, count), (count, count)] {
            let error = folder.refused("counts", &good.clone().claiming(tensors, pairs).bytes());
            assert!(matches!(error, LoadError::Damaged { .. }), "{count}: {error}");
        }
    }
    let mut long_key = good.bytes();
    long_key[24..32].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    assert!(matches!(folder.refused("key", &long_key), LoadError::Damaged { .. }));
}

#[test]
fn tensors_that_cannot_be_are_damaged() {
    let folder = Folder::new("tensors");
    let huge = u64::MAX >> 1;
    let cases = [
        ("none", Gguf::new().text("general.architecture", "llama")),
        ("type", Gguf::new().tensor("t", &[8], (9999, 0)).data(32)),
        ("overflow", Gguf::new().tensor("t", &[huge, huge], (F32, 0)).data(32)),
        ("dimensions", Gguf::new().tensor("t", &[1; 9], (F32, 0)).data(32)),
        ("twice", Gguf::new().tensor("t", &[8], (F32, 0)).tensor("t", &[8], (F32, 32)).data(64)),
        ("offset", Gguf::new().tensor("t", &[8], (F32, 7)).data(64)),
        (
            "alignment",
            Gguf::new().number("general.alignment", 0).tensor("t", &[8], (F32, 0)).data(32),
        ),
    ];
    for (name, file) in cases {
        let error = folder.refused(name, &file.bytes());
        assert!(matches!(error, LoadError::Damaged { .. }), "{name}: {error}");
    }
}

#[test]
fn missing_data_is_counted() {
    let folder = Folder::new("missing");
    let file = Gguf::new().text("general.architecture", "llama").tensor("t", &[800], (F32, 0));
    let whole = file.clone().data(3200).bytes().len() as u64;
    let half = file.data(1600).bytes();
    match folder.refused("half", &half) {
        LoadError::Truncated { expected, found, .. } => {
            assert_eq!((expected, found), (whole, half.len() as u64));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_model_that_nothing_can_hold_is_refused_before_it_is_read() {
    let folder = Folder::new("huge");
    let path = folder.0.join("huge");
    let bytes = 1_u64 << 45;
    let file =
        Gguf::new().text("general.architecture", "llama").tensor("t", &[bytes / 4], (F32, 0));
    std::fs::write(&path, file.bytes()).expect("the temporary folder is writable");
    let handle = std::fs::OpenOptions::new().write(true).open(&path).expect("it was just written");
    // A file with a hole has the size without taking the room; not every file system makes one.
    if handle.set_len(bytes + 4096).is_ok() {
        assert!(matches!(refused(&path), LoadError::NotEnoughMemory { .. }));
    } else {
        assert!(matches!(refused(&path), LoadError::Truncated { .. }));
    }
}

#[test]
fn an_architecture_that_llama_cpp_does_not_know_is_named() {
    let folder = Folder::new("architecture");
    let known =
        |name| Gguf::new().text("general.architecture", name).tensor("t", &[8], (F32, 0)).data(32);
    let error = folder.refused("unknown", &known("perceptron").bytes());
    assert!(matches!(error, LoadError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("perceptron"), "{error}");
    let none = Gguf::new().tensor("t", &[8], (F32, 0)).data(32);
    assert!(matches!(folder.refused("none", &none.bytes()), LoadError::Refused { .. }));
    let empty = folder.refused("empty", &known("llama").bytes());
    assert!(matches!(empty, LoadError::Refused { .. }), "{empty}");
    assert!(empty.to_string().contains("llama."), "says which key is missing: {empty}");
}
