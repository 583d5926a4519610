//! The projector that lets a model read pictures.

use std::sync::Arc;

use super::Loader;
use crate::LoadError;
use crate::ffi::{self, Header, Model, Projector, ProjectorPlan};

/// Kinds of projectors whose rows depend on what else stands in a prompt, and why: pictures are cut one by
/// one here, and what was computed of one is found again at another place.
const BOUND: [(&str, &str); 2] = [
    (
        "deepseek4v",
        "it makes more or fewer rows of a picture by where that stands in a prompt, which is not supported",
    ),
    ("hunyuanvl", "it counts the pictures of a prompt, which is not supported"),
];

impl Loader<'_> {
    /// Looks at the projector's file before anything is loaded; the bytes of its tensors.
    pub(super) fn projector_bytes(&self) -> Result<u64, LoadError> {
        let Some(path) = &self.config.mmproj_path else { return Ok(0) };
        let read = || {
            let found = crate::file::check(path)?;
            let Header { file_bytes: expected, tensor_bytes, projector, .. } = Header::read(path)?;
            if expected > found {
                return Err(LoadError::Truncated { path: path.clone(), expected, found });
            }
            match BOUND.iter().find(|(kind, _)| projector.as_deref() == Some(*kind)) {
                Some((_, reason)) => {
                    Err(LoadError::Refused { path: path.clone(), reason: (*reason).to_owned() })
                }
                None => Ok(tensor_bytes),
            }
        };
        read().map_err(|error| LoadError::Projector(Box::new(error)))
    }

    /// The projector, if the config names one. On a GPU where the model's output is.
    pub(super) fn projector(&self, model: &Arc<Model>) -> Result<Option<Projector>, LoadError> {
        let Some(path) = &self.config.mmproj_path else { return Ok(None) };
        let refuse = |reason: &str| {
            let (path, reason) = (path.clone(), reason.to_owned());
            LoadError::Projector(Box::new(LoadError::Refused { path, reason }))
        };
        let name = ffi::c_path(path).ok_or_else(|| refuse("its path holds a zero byte"))?;
        let gpu = self.placement.gpus.last().copied();
        let rows_max = self.config.picture_tokens_max;
        let plan = ProjectorPlan { path: name, threads: self.threads, rows_max, gpu };
        ffi::take_errors();
        let projector = Projector::load(model, &plan);
        let projector = projector.ok_or_else(|| match (ffi::take_errors(), rows_max) {
            // It may want more of each picture.
            (reason, Some(rows)) => refuse(&format!("{reason} (picture_tokens_max = {rows})")),
            (reason, None) => refuse(&reason),
        })?;
        if !projector.sees() {
            return Err(refuse("it reads no pictures"));
        }
        Ok(Some(projector))
    }
}
