//! What a collection is, to Qdrant and to us.
//!
//! Qdrant knows a collection's vectors. What we know beyond that (the embedder, its prefixes, the
//! language, the words of a text, the chunker, the description) stands in the collection's metadata
//! under the key `gaia`, as the fields of [`CollectionSpec`] without `dimension` and `distance`. Qdrant
//! has metadata since 1.16; it is part of a collection's snapshots.

use std::collections::HashMap;

use gaia_core::knowledge::{CollectionSpec, Distance};
use qdrant_client::qdrant::vectors_config::Config;
use qdrant_client::qdrant::{
    CollectionInfo, CollectionParams, CreateCollection, Distance as Wire, Modifier,
    SparseVectorConfig, SparseVectorParams, UpdateCollection, Value, VectorParams, VectorsConfig,
};

use super::words::KEYWORDS;

/// The key of what is ours in a collection's metadata.
const OURS: &str = "gaia";

/// The key under which a restored collection has its own name once it was verified: see
/// [`super::switch`].
const READY: &str = "gaia_ready";

/// Values of a vector at most, as Qdrant has it.
const DIMENSION_MAX: u32 = 65_536;

/// What can be known of a collection from its description on the server.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    /// What its vectors are, and what is known of them.
    pub spec: CollectionSpec,
    /// The name of its vector, if it has one.
    pub vector: Option<String>,
    /// Whether it has a vector for words that counts rare words more.
    pub has_keywords: bool,
    /// Its points; while the server tidies up, some may be counted twice.
    pub points: u64,
    /// The name of the collection that was verified; a snapshot of it has the same.
    pub ready: Option<String>,
    /// Whether points are found by their document quickly.
    pub indexes_documents: bool,
}

/// Reads a description.
///
/// # Errors
/// Why its points can't be used here.
pub(super) fn read(info: CollectionInfo, wanted: Option<&str>) -> Result<Found, String> {
    let config = info.config.ok_or("the server describes no vectors")?;
    let params = config.params.ok_or("the server describes no vectors")?;
    let has_keywords = has_keywords(&params);
    let (vector, params) = dense(params, wanted)?;
    let ready = match config.metadata.get(READY).cloned().map(serde_json::Value::from) {
        Some(serde_json::Value::String(name)) if !name.is_empty() => Some(name),
        _ => None,
    };
    Ok(Found {
        spec: spec(&params, config.metadata)?,
        vector,
        has_keywords,
        points: info.points_count.unwrap_or_default(),
        ready,
        indexes_documents: info.payload_schema.contains_key("document"),
    })
}

fn has_keywords(params: &CollectionParams) -> bool {
    let sparse = params.sparse_vectors_config.as_ref().and_then(|config| config.map.get(KEYWORDS));
    sparse.is_some_and(|sparse| sparse.modifier == Some(Modifier::Idf.into()))
}

fn dense(
    params: CollectionParams,
    wanted: Option<&str>,
) -> Result<(Option<String>, VectorParams), String> {
    let (name, params) = match params.vectors_config.and_then(|config| config.config) {
        Some(Config::Params(params)) => (None, params),
        Some(Config::ParamsMap(named)) => {
            let (name, params) = choose(named.map, wanted)?;
            (Some(name), params)
        }
        None => return Err("it has no vectors".into()),
    };
    if params.multivector_config.is_some() {
        return Err("each of its points has many vectors: that is not supported".into());
    }
    Ok((name, params))
}

fn choose(
    mut named: HashMap<String, VectorParams>,
    wanted: Option<&str>,
) -> Result<(String, VectorParams), String> {
    if let Some(found) = wanted.and_then(|wanted| named.remove_entry(wanted)) {
        return Ok(found);
    }
    let mut names: Vec<_> = named.keys().cloned().collect();
    names.sort();
    match names.as_slice() {
        [] => Err("it has no vectors".into()),
        [only] => named.remove_entry(only).ok_or_else(|| "it has no vectors".into()),
        _ => Err(format!("it has the vectors {}: set `vector_name` to one", names.join(", "))),
    }
}

fn spec(
    params: &VectorParams,
    mut metadata: HashMap<String, Value>,
) -> Result<CollectionSpec, String> {
    let dimension = u32::try_from(params.size).ok().filter(|size| *size > 0);
    let bare = CollectionSpec {
        dimension: dimension.ok_or(format!("vectors of {} values", params.size))?,
        distance: distance(params.distance())?,
        ..CollectionSpec::default()
    };
    let Some(mut ours) = metadata.remove(OURS).map(serde_json::Value::from) else {
        return Ok(bare);
    };
    let Some(fields) = ours.as_object_mut() else { return Ok(bare) };
    fields
        .retain(|key, value| !matches!(key.as_str(), "dimension" | "distance") && !value.is_null());
    fields.insert("dimension".into(), bare.dimension.into());
    match serde_json::from_value::<CollectionSpec>(ours) {
        Ok(known) => Ok(CollectionSpec { distance: bare.distance, ..known }),
        Err(error) => {
            tracing::warn!(%error, "a collection's metadata under `gaia` can't be read: it is left out");
            Ok(bare)
        }
    }
}

fn distance(wire: Wire) -> Result<Distance, String> {
    match wire {
        Wire::Cosine => Ok(Distance::Cosine),
        Wire::Dot => Ok(Distance::Dot),
        Wire::Euclid => Ok(Distance::Euclid),
        Wire::Manhattan => Ok(Distance::Manhattan),
        Wire::UnknownDistance => Err("its vectors are compared in an unknown way".into()),
    }
}

fn distance_to_wire(distance: Distance) -> Wire {
    match distance {
        Distance::Cosine => Wire::Cosine,
        Distance::Dot => Wire::Dot,
        Distance::Euclid => Wire::Euclid,
        Distance::Manhattan => Wire::Manhattan,
    }
}

/// Whether a collection can be made so.
///
/// # Errors
/// What is wrong.
pub(super) fn check(spec: &CollectionSpec) -> Result<(), String> {
    if !(1..=DIMENSION_MAX).contains(&spec.dimension) {
        return Err(format!("dimension: {} is not from 1 to {DIMENSION_MAX}", spec.dimension));
    }
    match spec.words_mean {
        Some(mean) if !(mean.is_finite() && mean > 0.0) => {
            Err(format!("words_mean: {mean} is no mean: give a number above 0"))
        }
        _ => Ok(()),
    }
}

/// The request that makes a collection.
pub(super) fn create(name: &str, spec: &CollectionSpec, has_keywords: bool) -> CreateCollection {
    let vectors = VectorParams {
        size: spec.dimension.into(),
        distance: distance_to_wire(spec.distance).into(),
        ..VectorParams::default()
    };
    let words = SparseVectorParams { modifier: Some(Modifier::Idf.into()), index: None };
    let sparse = SparseVectorConfig { map: HashMap::from([(KEYWORDS.to_owned(), words)]) };
    CreateCollection {
        collection_name: name.to_owned(),
        vectors_config: Some(VectorsConfig { config: Some(Config::Params(vectors)) }),
        sparse_vectors_config: has_keywords.then_some(sparse),
        metadata: extras(spec).map(|ours| (OURS.to_owned(), ours)).into_iter().collect(),
        ..CreateCollection::default()
    }
}

/// The request that notes what a restored collection is, and that it was verified.
pub(super) fn describe(physical: &str, spec: &CollectionSpec) -> UpdateCollection {
    let ours = extras(spec).map(|ours| (OURS.to_owned(), ours));
    let ready = (READY.to_owned(), serde_json::Value::from(physical).into());
    UpdateCollection {
        collection_name: physical.to_owned(),
        metadata: ours.into_iter().chain([ready]).collect(),
        ..UpdateCollection::default()
    }
}

/// What Qdrant does not know by itself; nothing if there is nothing.
pub(super) fn extras(spec: &CollectionSpec) -> Option<Value> {
    let mut value = serde_json::to_value(spec).expect("text and numbers are JSON");
    let fields = value.as_object_mut()?;
    fields.retain(|key, _| !matches!(key.as_str(), "dimension" | "distance"));
    (!fields.is_empty()).then(|| value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(config: Config) -> CollectionInfo {
        let params = CollectionParams {
            vectors_config: Some(VectorsConfig { config: Some(config) }),
            ..CollectionParams::default()
        };
        let config = qdrant_client::qdrant::CollectionConfig {
            params: Some(params),
            ..qdrant_client::qdrant::CollectionConfig::default()
        };
        CollectionInfo { config: Some(config), ..CollectionInfo::default() }
    }

    fn vectors(size: u64) -> VectorParams {
        VectorParams { size, distance: Wire::Cosine.into(), ..VectorParams::default() }
    }

    fn named(names: &[&str]) -> Config {
        let map = names.iter().map(|name| ((*name).to_owned(), vectors(4))).collect();
        Config::ParamsMap(qdrant_client::qdrant::VectorParamsMap { map })
    }

    #[test]
    fn vectors_that_cannot_be_used_are_refused() {
        assert!(read(CollectionInfo::default(), None).is_err());
        assert!(read(info(Config::Params(vectors(0))), None).is_err());
        assert!(read(info(Config::Params(VectorParams::default())), None).is_err());
        assert!(read(info(named(&[])), None).is_err());
        let many = VectorParams {
            multivector_config: Some(qdrant_client::qdrant::MultiVectorConfig::default()),
            ..vectors(4)
        };
        assert!(read(info(Config::Params(many)), None).is_err());
        let several = read(info(named(&["b", "a"])), Some("c")).expect_err("which one?");
        assert!(several.contains("a, b") && several.contains("vector_name"), "{several}");
    }

    #[test]
    fn the_only_vector_or_the_wanted_one_is_used() {
        let of = |config, wanted| read(info(config), wanted).expect("it can be used").vector;
        assert_eq!(of(Config::Params(vectors(4)), Some("a")), None);
        assert_eq!(of(named(&["a"]), Some("b")).as_deref(), Some("a"));
        assert_eq!(of(named(&["a", "b"]), Some("b")).as_deref(), Some("b"));
    }

    #[test]
    fn what_is_ours_comes_back_from_the_metadata() {
        let spec = CollectionSpec {
            dimension: 4,
            embedder: Some("e".into()),
            words_mean: Some(7.0),
            chunker: Some(gaia_core::knowledge::Chunker { tokens_max: 9, overlap_tokens: 1 }),
            ..CollectionSpec::default()
        };
        assert!(check(&spec).is_ok());
        let mut info = info(Config::Params(vectors(4)));
        let metadata = create("c", &spec, true).metadata;
        info.config.as_mut().expect("a config").metadata = metadata;
        assert_eq!(read(info, None).expect("it can be used").spec, spec);
        assert!(create("c", &CollectionSpec::default(), true).metadata.is_empty());
    }

    #[test]
    fn foreign_metadata_is_left_out() {
        for ours in [serde_json::json!({"unknown": 1}), serde_json::json!("text")] {
            let mut info = info(Config::Params(vectors(4)));
            let metadata = HashMap::from([(OURS.to_owned(), ours.into())]);
            info.config.as_mut().expect("a config").metadata = metadata;
            let spec = read(info, None).expect("it can be used").spec;
            assert_eq!(spec, CollectionSpec { dimension: 4, ..CollectionSpec::default() });
        }
    }

    #[test]
    fn specs_that_make_no_sense_are_refused() {
        let spec = |dimension, words_mean| CollectionSpec {
            dimension,
            words_mean,
            ..CollectionSpec::default()
        };
        for wrong in
            [spec(0, None), spec(65_537, None), spec(4, Some(0.0)), spec(4, Some(f64::NAN))]
        {
            assert!(check(&wrong).is_err(), "{wrong:?}");
        }
    }
}
