//! What a request to compile says.

use std::time::Duration;

use gaia_sandbox::builder::{Answer, Features, Job, JobLimits, Profile, Target, Task};
use serde_json::Value;

use super::source::{Source, detail};
use crate::compile::Service;
use crate::http::error::ApiError;
use crate::http::fields::{Fields, must_be};

/// Words in a list at most.
pub const WORDS_MAX: usize = 256;
/// What may be given out.
pub const ARTIFACTS: [&str; 2] = ["programs", "rustdoc_json"];
/// Bytes of standard input: the jail holds them in memory.
pub const STDIN_BYTES_MAX: usize = 1 << 20;

/// A job, or the answer to a project that is refused as it is.
pub async fn parse(
    mut fields: Fields,
    service: &Service,
) -> Result<Result<Box<Job>, Box<Answer>>, ApiError> {
    let source = Source::take(&mut fields)?;
    let task = fields.word("command", &Task::WORDS)?;
    let task = task.and_then(Task::of).unwrap_or(Task::Check);
    let detail = detail(&mut fields)?;
    let options = Options::parse(&mut fields, service)?;
    fields.finish(&[])?;
    if options.files.rustdoc_json && task != Task::Doc {
        let message = "rustdoc_json goes with the command doc";
        return Err(ApiError::invalid("artifacts", message));
    }
    Ok(match source.read().await? {
        Ok(project) => Ok(Box::new(options.job(Job { detail, ..Job::new(project, task) }))),
        Err(error) => Err(Box::new(Answer::refused(detail, vec![error.to_string()]))),
    })
}

/// Everything that has a default.
struct Options {
    profile: Profile,
    target: Target,
    features: Features,
    bin: Option<String>,
    args: Vec<String>,
    stdin: Vec<u8>,
    explain: bool,
    files: Files,
    limits: JobLimits,
}

impl Options {
    fn parse(fields: &mut Fields, service: &Service) -> Result<Self, ApiError> {
        let profile = if fields.flag("release")? { Profile::Release } else { Profile::Debug };
        let target = match fields.word("target", &["native", "wasm32-wasip1"])? {
            Some("wasm32-wasip1") => Target::Wasm,
            _ => Target::Native,
        };
        Ok(Self {
            profile,
            target,
            features: features(fields)?,
            bin: fields.string("bin")?,
            args: words(fields, "args")?,
            stdin: stdin(fields)?,
            explain: fields.flag("explain")?,
            files: Files::parse(fields)?,
            limits: limits(fields, service)?,
        })
    }

    fn job(self, job: Job) -> Job {
        let Self { profile, target, features, bin, args, stdin, explain, files, limits } = self;
        let Files { programs, rustdoc_json } = files;
        let job = Job { programs, rustdoc_json, limits, ..job };
        Job { profile, target, features, bin, args, stdin, explain, ..job }
    }
}

/// What is given out.
struct Files {
    programs: bool,
    rustdoc_json: bool,
}

impl Files {
    /// `programs` is short for that word in `artifacts`.
    fn parse(fields: &mut Fields) -> Result<Self, ApiError> {
        let (programs, names) = (fields.flag("programs")?, words(fields, "artifacts")?);
        if names.iter().any(|name| !ARTIFACTS.contains(&name.as_str())) {
            return Err(must_be("artifacts", "a list of \"programs\" and \"rustdoc_json\""));
        }
        let has = |word: &str| names.iter().any(|name| name == word);
        Ok(Self { programs: programs || has("programs"), rustdoc_json: has("rustdoc_json") })
    }
}

fn features(fields: &mut Fields) -> Result<Features, ApiError> {
    Ok(Features {
        names: words(fields, "features")?,
        default: fields.maybe_flag("default_features")?.unwrap_or(true),
        all: fields.flag("all_features")?,
    })
}

fn words(fields: &mut Fields, name: &str) -> Result<Vec<String>, ApiError> {
    let list = fields.list(name)?.unwrap_or_default();
    let wrong = || must_be(name, &format!("a list of at most {WORDS_MAX} strings"));
    if list.len() > WORDS_MAX {
        return Err(wrong());
    }
    let word = |value: Value| value.as_str().map(str::to_owned).ok_or_else(wrong);
    list.into_iter().map(word).collect()
}

fn stdin(fields: &mut Fields) -> Result<Vec<u8>, ApiError> {
    let stdin = fields.string("stdin")?.unwrap_or_default();
    if stdin.len() > STDIN_BYTES_MAX {
        return Err(must_be("stdin", &format!("a string of at most {STDIN_BYTES_MAX} bytes")));
    }
    Ok(stdin.into_bytes())
}

fn limits(fields: &mut Fields, service: &Service) -> Result<JobLimits, ApiError> {
    let (most, config) = (service.config().limits, service.config());
    Ok(JobLimits {
        compile_time: time(fields, "compile_time_ms", most.compile_time)?
            .unwrap_or(most.compile_time),
        run_time: time(fields, "run_time_ms", most.run_time)?.unwrap_or(config.run_time),
        ..most
    })
}

fn time(fields: &mut Fields, name: &str, most: Duration) -> Result<Option<Duration>, ApiError> {
    let most_ms = u32::try_from(most.as_millis()).unwrap_or(u32::MAX);
    let time_ms = fields.integer(name, 1..=most_ms)?;
    Ok(time_ms.map(|time_ms| Duration::from_millis(u64::from(time_ms))))
}
