//! A foreign document's way into a knowledge base: read, cut by the embedding model's own tokenizer,
//! embedded, written.

use std::sync::Arc;

use gaia_core::knowledge::{Chunk, Chunker, CollectionSpec, Ingested, Source, find, ingest};
use gaia_core::{Node, ServeError};
use gaia_documents::{Document, Limits, Measure, Position, ReadError, Reader, Unit, pieces};
use gaia_protocol::{Input, ModelKind, TokenizeTask};
use serde_json::{Map, Value};
use tokio::task::spawn_blocking;

/// Text that is tokenized at once: its tokens fit few events.
const PIECE_BYTES: usize = 16 << 10;

/// Chunks of collections that say nothing of their own, in tokens.
pub const CHUNKER: Chunker = Chunker { tokens_max: 200, overlap_tokens: 30 };

/// A document as it was handed in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Upload {
    /// Its name: the ending tells its kind.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
    /// What else is known of it.
    pub attributes: Map<String, Value>,
    /// What it is called in the collection, if not by its name.
    pub source: Option<String>,
    /// How it is cut, if not as the collection says.
    pub chunker: Option<Chunker>,
}

/// Why a document did not get in.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// It can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It could be read, but not be embedded or written.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// Brings documents in, some at once.
#[derive(Clone, Debug)]
pub struct Ingester {
    reader: Arc<Reader>,
}

impl Ingester {
    /// Takes documents of at most so many bytes.
    #[must_use]
    pub fn new(bytes_max: u64) -> Self {
        let limits = Limits { bytes_max, ..Limits::default() };
        Self { reader: Arc::new(Reader::new(limits)) }
    }

    /// Brings one in; `progress` hears how many of how many chunks are done.
    ///
    /// # Errors
    /// What is wrong with the document, with the collection, or with the models.
    pub async fn run(
        &self,
        node: &Node,
        collection: &str,
        upload: Upload,
    ) -> Result<Ingested, IngestError> {
        let found = find(node.knowledge()?, collection).await.map_err(ServeError::from)?;
        let mut spec = found.spec;
        spec.chunker = upload.chunker.or(spec.chunker);
        let hash = gaia_documents::document_hash(&upload.bytes);
        let name = upload.source.unwrap_or_else(|| upload.name.clone());
        let attributes = upload.attributes;
        let (reader, bytes) = (Arc::clone(&self.reader), upload.bytes);
        let document = on_a_thread(move || reader.read(&upload.name, bytes)).await??;
        let chunks = chunks(node, &spec, &name, document).await?;
        let source = Source { name, hash, attributes, chunks };
        Ok(ingest(node, collection, source, |_| {}).await?)
    }
}

async fn chunks(
    node: &Node,
    spec: &CollectionSpec,
    name: &str,
    document: Document,
) -> Result<Vec<Chunk>, ServeError> {
    let embedder = node.models.choose(spec.embedder.as_deref(), ModelKind::Embedding)?;
    let measure = measure(node, embedder.name(), document.text()).await?;
    let chunker = spec.chunker.unwrap_or(CHUNKER);
    let chunker = gaia_documents::Chunker {
        tokens_max: chunker.tokens_max as usize,
        overlap_tokens: chunker.overlap_tokens as usize,
    };
    let name = name.to_owned();
    let cut = move || {
        let chunks = gaia_documents::cut(&document, &chunker, &measure);
        chunks.into_iter().map(|chunk| own(&name, chunk)).collect()
    };
    on_a_thread(cut).await
}

fn own(source: &str, chunk: gaia_documents::Chunk) -> Chunk {
    let id = gaia_documents::chunk_id(source, &chunk.text);
    let id = id.parse().expect("a chunk's id is a UUID");
    let place = place(chunk.position);
    Chunk { id, text: chunk.text, headings: chunk.headings, place: Some(place) }
}

fn place(position: Position) -> String {
    let Position { unit, first, last } = position;
    let unit = match unit {
        Unit::Line => "line",
        Unit::Page => "page",
    };
    if first == last { format!("{unit} {first}") } else { format!("{unit}s {first}-{last}") }
}

/// Where the tokens of a text begin, by this model, or about where if it does not tell; the text stays where it is in memory.
///
/// # Errors
/// As [`gaia_core::tokenize`].
pub async fn measure(node: &Node, model: &str, text: &str) -> Result<Measure, ServeError> {
    let mut measure = Measure::new(text);
    let counts = node.models.find(model)?.has_tokenizer();
    for piece in pieces(text, PIECE_BYTES) {
        if !counts {
            measure.add(piece, &gaia_core::estimate(piece));
            continue;
        }
        let input = Input::Text(piece.to_owned());
        let task = TokenizeTask { input, ..TokenizeTask::default() };
        let tokens = gaia_core::tokenize(node, Some(model), task).await?;
        let tokens: Vec<_> = tokens.iter().map(|token| &token.bytes).collect();
        measure.add(piece, &tokens);
    }
    Ok(measure)
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ServeError> {
    let failed = |_| ServeError::App { message: "the document could not be read".into() };
    spawn_blocking(work).await.map_err(failed)
}
