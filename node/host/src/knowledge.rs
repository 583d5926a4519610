//! The node's knowledge bases: opens the store, and makes what the config names and is not there.

mod scratch;
mod snapshot;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use gaia_core::knowledge::{Change, Plan, Restore};
use gaia_core::{Knowledge, ModelStatus, Models, Node};
use gaia_knowledge::keywords::{Elastic, ElasticSettings, Keyed, KeywordIndex, Tidb, TidbSettings};
use gaia_knowledge::server::{Server, ServerSettings};
use gaia_knowledge::{Embedded, SnapshotLimits};
use gaia_protocol::ModelKind;

pub use self::scratch::Scratch;
pub use self::snapshot::{Fetched, Snapshot, Trust};
use crate::config::{
    CollectionConfig, Config, EngineConfig, KeywordsConfig, KeywordsEngine, KnowledgeConfig,
    key_from_environment,
};

/// Opens the store; nothing if the config wants none.
///
/// # Errors
/// Another process has it open, or it can't be reached.
pub async fn open(config: &KnowledgeConfig) -> Result<Option<Arc<dyn Knowledge>>> {
    if !config.enabled {
        return Ok(None);
    }
    let engine = open_engine(config).await?;
    let Some(keywords) = &config.keywords else { return Ok(Some(engine)) };
    let index = open_keywords(keywords).await;
    let index = index.with_context(|| format!("knowledge.keywords: opening {}", keywords.url))?;
    Ok(Some(Arc::new(Keyed::new(engine, index, keywords.collections.clone()))))
}

async fn open_keywords(config: &KeywordsConfig) -> Result<Arc<dyn KeywordIndex>> {
    let (url, index) = (config.url.clone(), config.index.clone());
    let password = config.password_env.as_deref().map(key_from_environment).transpose()?;
    let login = config.user.clone().zip(password);
    Ok(match config.engine {
        KeywordsEngine::Elasticsearch => {
            Arc::new(Elastic::connect(ElasticSettings { url, index, login }).await?)
        }
        KeywordsEngine::Tidb => {
            Arc::new(Tidb::connect(TidbSettings { url, table: index, login }).await?)
        }
    })
}

async fn open_engine(config: &KnowledgeConfig) -> Result<Arc<dyn Knowledge>> {
    let limits = SnapshotLimits { bytes_max: config.unpacked_bytes_max };
    match &config.engine {
        EngineConfig::Embedded { folder } => {
            let embedded = Embedded::open(folder, limits);
            let embedded = embedded.context("opening the knowledge bases")?;
            scratch::sweep(config)?;
            Ok(Arc::new(embedded))
        }
        EngineConfig::Server { url, rest_url, api_key_file, .. } => {
            scratch::sweep(config)?;
            let api_key = api_key_file.as_deref().map(read_key).transpose()?;
            let settings = ServerSettings {
                api_key,
                rest_url: rest_url.clone(),
                snapshot_limits: limits,
                scratch: Some(scratch::folder(config)?),
                ..ServerSettings::new(url)
            };
            let server = Server::connect(settings).await;
            let server = server.with_context(|| format!("knowledge.url: connecting to {url}"))?;
            Ok(Arc::new(server))
        }
    }
}

fn read_key(file: &Path) -> Result<String> {
    let key = std::fs::read_to_string(file);
    let key = key.with_context(|| format!("knowledge.api_key_file: reading {}", file.display()))?;
    Ok(key.trim().to_owned())
}

/// What each model knows before it answers, by its name.
#[must_use]
pub fn plans(config: &Config) -> HashMap<String, Plan> {
    let plan = |served: &crate::config::ServedConfig| {
        served.knowledge.clone().map(|plan| (served.model.name.clone(), plan))
    };
    let others = config.upstreams.iter().filter_map(|upstream| {
        upstream.knowledge.clone().map(|plan| (upstream.name.clone(), plan))
    });
    config.models.iter().filter_map(plan).chain(others).collect()
}

/// Makes the collections that the config names and that are not there.
///
/// # Errors
/// One can't be made; those before it were.
pub async fn provide(node: &Node, config: &KnowledgeConfig) -> Result<()> {
    let Some(knowledge) = &node.knowledge else { return Ok(()) };
    let there = knowledge.collections().await?;
    for wanted in &config.collections {
        if there.iter().any(|collection| collection.name == wanted.name) {
            continue;
        }
        if let Some(missing) = missing_file(wanted) {
            tracing::warn!(
                collection = wanted.name,
                file = missing,
                "its snapshot is not there yet"
            );
            continue;
        }
        let made = provide_one(node, config, wanted).await;
        made.with_context(|| format!("making the collection {}", wanted.name))?;
    }
    Ok(())
}

/// A snapshot's file that is not there: setup makes those of the project's own knowledge bases.
fn missing_file(wanted: &CollectionConfig) -> Option<&str> {
    let file = wanted.snapshot.as_deref().filter(|source| !source.contains("://"))?;
    (!Path::new(file).exists()).then_some(file)
}

async fn provide_one(
    node: &Node,
    config: &KnowledgeConfig,
    wanted: &CollectionConfig,
) -> Result<()> {
    let knowledge = node.knowledge()?;
    let dimension = dimension(&node.models, wanted)?;
    if let Some(source) = &wanted.snapshot {
        let snapshot = Snapshot { source, sha256: wanted.sha256.as_deref(), trust: Trust::Config };
        let fetched = snapshot.fetch(config).await?;
        let restore = Restore {
            collection: wanted.name.clone(),
            file: fetched.file.clone(),
            embedder: wanted.embedder.clone(),
            dimension: Some(dimension),
        };
        knowledge.restore(restore).await?;
        return Ok(());
    }
    knowledge.change(&wanted.name, Change::Create(wanted.spec(dimension))).await?;
    Ok(())
}

/// Values of the vectors that the collection's model makes.
fn dimension(models: &Models, wanted: &CollectionConfig) -> Result<u32> {
    let model = models.choose(wanted.embedder.as_deref(), ModelKind::Embedding)?;
    match model.status() {
        ModelStatus::Ready(card) => Ok(card.embedding_dimension),
        _ => bail!("the model {} is not loaded", model.name()),
    }
}
