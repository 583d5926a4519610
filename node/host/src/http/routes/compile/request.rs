//! What a request to compile says.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gaia_sandbox::builder::{Answer, Features, Job, JobLimits, Profile, Target, Task};
use gaia_sandbox::project::{Edition, FileMap, Limits, Project, ProjectError, SingleFile};
use gaia_sandbox::report::Detail;
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::compile::Service;
use crate::http::error::ApiError;
use crate::http::fields::{Fields, missing, must_be};

/// Words in a list at most.
const WORDS_MAX: usize = 256;
/// Bytes of standard input: the jail holds them in memory.
const STDIN_BYTES_MAX: usize = 1 << 20;

/// The files of a project, in one of the forms in which they come.
enum Source {
    Files(FileMap),
    Code(String, Edition),
    Archive(Vec<u8>),
}

/// A job, or the answer to a project that is refused as it is.
pub async fn parse(
    mut fields: Fields,
    service: &Service,
) -> Result<Result<Box<Job>, Box<Answer>>, ApiError> {
    let source = source(&mut fields)?;
    let task = fields.word("command", &Task::WORDS)?;
    let task = task.and_then(Task::of).unwrap_or(Task::Check);
    let detail = detail(&mut fields)?;
    let options = Options::parse(&mut fields, service)?;
    fields.finish(&[])?;
    let project = spawn_blocking(move || project(source)).await;
    let project = project.map_err(|_| {
        ApiError::new(
            axum::http::StatusCode::INTERNAL_SERVER_ERROR,
            "the project could not be read",
        )
    })?;
    Ok(match project {
        Ok(project) => Ok(Box::new(options.job(Job { detail, ..Job::new(project, task) }))),
        Err(error) => Err(Box::new(Answer::refused(detail, vec![error.to_string()]))),
    })
}

/// A project from flat text, or from one source file.
pub fn project_of_code(code: String, edition: Edition) -> Result<Project, ProjectError> {
    let limits = Limits::default();
    match Project::from_flat(&code, &limits) {
        Err(ProjectError::NoBlock) => {
            Project::from_source(SingleFile { source: code, edition }, &limits)
        }
        other => other,
    }
}

fn project(source: Source) -> Result<Project, ProjectError> {
    let limits = Limits::default();
    match source {
        Source::Files(files) => Project::from_map(files, &limits),
        Source::Code(code, edition) => project_of_code(code, edition),
        Source::Archive(bytes) if bytes.starts_with(b"PK") => Project::from_zip(&bytes, &limits),
        Source::Archive(bytes) => Project::from_tar_gz(&bytes, &limits),
    }
}

fn source(fields: &mut Fields) -> Result<Source, ApiError> {
    let edition = edition(fields)?;
    let (files, code) = (fields.take("files"), fields.string("code")?);
    let archive = fields.string("archive")?;
    if edition.is_some() && code.is_none() {
        let message = "`edition` goes with `code` alone: a manifest says its own";
        return Err(ApiError::invalid("edition", message));
    }
    match (files, code, archive) {
        (Some(files), None, None) => files_of(files),
        (None, Some(code), None) => Ok(Source::Code(code, edition.unwrap_or_default())),
        (None, None, Some(archive)) => {
            let wrong = |_| must_be("archive", "a zip or tar.gz file in base64");
            STANDARD.decode(archive.trim()).map(Source::Archive).map_err(wrong)
        }
        (None, None, None) => Err(ApiError {
            message: "send one of `files`, `code` and `archive`".to_owned(),
            ..missing("files")
        }),
        _ => Err(ApiError::invalid("files", "send only one of `files`, `code` and `archive`")),
    }
}

fn files_of(files: Value) -> Result<Source, ApiError> {
    let wrong = || must_be("files", "an object of paths and texts");
    let Value::Object(map) = files else { return Err(wrong()) };
    let text = |(path, value)| match value {
        Value::String(text) => Ok((path, text)),
        _ => Err(must_be(&format!("files.{path}"), "a string")),
    };
    Ok(Source::Files(FileMap(map.into_iter().map(text).collect::<Result<_, _>>()?)))
}

fn edition(fields: &mut Fields) -> Result<Option<Edition>, ApiError> {
    let word = fields.word("edition", &["2015", "2018", "2021", "2024"])?;
    Ok(word.map(|word| match word {
        "2015" => Edition::E2015,
        "2018" => Edition::E2018,
        "2021" => Edition::E2021,
        _ => Edition::E2024,
    }))
}

fn detail(fields: &mut Fields) -> Result<Detail, ApiError> {
    Ok(match fields.word("detail", &["summary", "evidence", "raw"])? {
        Some("summary") => Detail::Summary,
        Some("raw") => Detail::Raw,
        _ => Detail::Evidence,
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
    programs: bool,
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
            programs: fields.flag("programs")?,
            limits: limits(fields, service)?,
        })
    }

    fn job(self, job: Job) -> Job {
        let Self { profile, target, features, bin, args, stdin, explain, programs, limits } = self;
        Job { profile, target, features, bin, args, stdin, explain, programs, limits, ..job }
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
