//! Headers before an entry that say what does not fit into its own.

use tar::PaxExtensions;

/// What was said in advance about the next entry.
#[derive(Default)]
pub(super) struct Extension {
    pub path: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub sparse: Option<PaxSparse>,
}

/// What a pax header says about a file with holes, in GNU's format 1.0.
#[derive(Default)]
pub(super) struct PaxSparse {
    pub size: Option<u64>,
    version: (Option<u64>, Option<u64>),
}

impl PaxSparse {
    pub fn is_understood(&self) -> bool {
        self.version == (Some(1), Some(0))
    }
}

impl Extension {
    pub fn is_empty(&self) -> bool {
        self.path.is_none() && self.size.is_none() && self.sparse.is_none()
    }

    /// Takes a pax header: records of `LENGTH KEY=VALUE`.
    pub fn take_pax(&mut self, body: &[u8]) -> Result<(), &'static str> {
        for (key, value) in records(body)? {
            match key {
                b"path" if self.has_sparse_name() => {}
                b"path" => self.path = Some(value.to_vec()),
                b"size" => self.size = Some(number(value)?),
                b"GNU.sparse.name" => {
                    self.path = Some(value.to_vec());
                    self.sparse.get_or_insert_default();
                }
                _ if key.starts_with(b"GNU.sparse.") => self.take_sparse(key, value)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// With a sparse name, `path` is a stand-in for programs that know no holes.
    fn has_sparse_name(&self) -> bool {
        self.sparse.is_some() && self.path.is_some()
    }

    fn take_sparse(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        let sparse = self.sparse.get_or_insert_default();
        match key {
            b"GNU.sparse.major" => sparse.version.0 = Some(number(value)?),
            b"GNU.sparse.minor" => sparse.version.1 = Some(number(value)?),
            b"GNU.sparse.realsize" => sparse.size = Some(number(value)?),
            _ => {}
        }
        Ok(())
    }

    /// A header for all entries may hold a comment and the like, but not rename them.
    pub fn judge_global(body: &[u8]) -> Result<(), &'static str> {
        let renames = |key: &[u8]| {
            key == b"path" || key == b"size" || key == b"linkpath" || key.starts_with(b"GNU.")
        };
        match records(body)?.iter().any(|(key, _)| renames(key)) {
            true => Err("a header would give all entries one path or size"),
            false => Ok(()),
        }
    }
}

type Record<'a> = (&'a [u8], &'a [u8]);

fn records(body: &[u8]) -> Result<Vec<Record<'_>>, &'static str> {
    const MALFORMED: &str = "a pax header is malformed";
    let records = PaxExtensions::new(body);
    records
        .map(|record| record.map(|record| (record.key_bytes(), record.value_bytes())))
        .collect::<Result<_, _>>()
        .map_err(|_| MALFORMED)
}

/// A decimal number.
pub(super) fn number(text: &[u8]) -> Result<u64, &'static str> {
    let text = std::str::from_utf8(text).ok().filter(|text| !text.starts_with('+'));
    text.and_then(|text| text.parse().ok()).ok_or("a number in a header is none")
}
