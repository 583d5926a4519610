//! Starts the thread of a loaded model.

use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use crate::bell::Bell;
use crate::config::{TEXTS_PER_REQUEST, Tuning};
use crate::counters::Counters;
use crate::draft::Draft;
use crate::embedder::Embedder;
use crate::engine::{Desk, Inner};
use crate::eye::Eye;
use crate::ffi::{Context, Model, Projector};
use crate::generator::Generator;
use crate::inbox::{Closing, Inbox, Seats};
use crate::sampler::Scratch;
use crate::scheduler::{Abilities, Bounds, Scheduler};
use crate::toll::Toll;
use crate::{EngineConfig, EngineInfo, EngineKind, LoadError};

/// A text that no context can hold is refused before it is tokenized, but never one below this:
/// some tokenizers drop blanks, and a long run of them may be few tokens.
const TEXT_BYTES_MAX_LEAST: usize = 1 << 20;

/// What was loaded.
pub(crate) struct Parts {
    pub(crate) model: Arc<Model>,
    pub(crate) context: Context,
    pub(crate) info: EngineInfo,
    /// Of the draft model, if there is one.
    pub(crate) draft: Option<Context>,
    /// What reads pictures.
    pub(crate) projector: Option<Arc<Projector>>,
}

/// Starts the thread that owns the context.
pub(crate) fn start(
    config: &EngineConfig,
    tuning: &Tuning,
    parts: Parts,
) -> Result<Inner, LoadError> {
    let Parts { model, context, info, draft, projector } = parts;
    let batch_tokens = context.batch_tokens();
    let looks_ahead = projector.as_ref().is_some_and(|projector| projector.looks_ahead());
    let bell = Arc::<Bell>::default();
    let counters = Arc::<Counters>::default();
    let waiting_max = match config.kind {
        EngineKind::Generate => config.queue_max,
        EngineKind::Embed | EngineKind::Rank => config.queue_max.saturating_mul(TEXTS_PER_REQUEST),
    };
    let (desk, thread) = match config.kind {
        EngineKind::Generate => {
            let inbox = Arc::new(Inbox::new(Arc::clone(&bell)));
            let bounds = Bounds {
                sequences_max: config.sequences_max,
                context_tokens: info.context_tokens,
                batch_tokens: u32::try_from(batch_tokens).unwrap_or(u32::MAX),
                prompt_tokens_beside_streams: tuning.prompt_tokens_beside_streams,
                abilities: Abilities {
                    whole_pictures: looks_ahead,
                    ..abilities(config, &model, &context)
                },
            };
            let generator = Generator {
                context,
                model: Arc::clone(&model),
                scheduler: Scheduler::new(bounds),
                inbox: Arc::clone(&inbox),
                counters: Arc::clone(&counters),
                scratch: Scratch::default(),
                toll: tuning.guess_percent.map(Toll::percent),
                draft: draft.map(|context| Draft::new(context, config.sequences_max)),
                eye: projector.clone().map(Eye::new),
            };
            let closing = Closing(Arc::clone(&inbox));
            (Desk::Generate(inbox), spawn(move || (closing, generator.run()).1))
        }
        EngineKind::Embed | EngineKind::Rank => {
            let inbox = Arc::new(Inbox::new(Arc::clone(&bell)));
            let embedder = Embedder {
                batch_tokens,
                texts_max: config.sequences_max as usize,
                normalizes: config.kind == EngineKind::Embed,
                context,
                inbox: Arc::clone(&inbox),
                counters: Arc::clone(&counters),
            };
            let closing = Closing(Arc::clone(&inbox));
            (Desk::Embed(inbox), spawn(move || (closing, embedder.run()).1))
        }
    };
    let text_bytes_max = info.context_tokens as usize * model.piece_bytes_max();
    Ok(Inner {
        model,
        desk,
        bell,
        seats: Seats::new(config.sequences_max.saturating_add(waiting_max)),
        counters,
        run_ahead_tokens: config.run_ahead_tokens as usize,
        queue_max: waiting_max,
        text_bytes_max: text_bytes_max.max(TEXT_BYTES_MAX_LEAST),
        info,
        projector,
        batch_tokens,
        grammars: OnceLock::new(),
        thread: Some(thread?),
    })
}

/// What model and config allow to be done with the cache. A state that does not grow with the text
/// can't be cut back to a part of it.
fn abilities(config: &EngineConfig, model: &Model, context: &Context) -> Abilities {
    let cuts = !model.is_recurrent();
    Abilities {
        cuts,
        guesses: cuts && config.prompt_lookup,
        shifts: config.context_shift && cuts && context.can_shift(),
        whole_pictures: false,
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, LoadError> {
    let builder = std::thread::Builder::new().name("engine".into());
    builder.spawn(work).map_err(|error| LoadError::Config(format!("no thread: {error}")))
}
