//! A plain WASI-NN command: no sdk, only `wasmedge-wasi-nn` and std. It runs in a Gaia node as it
//! runs in `wasmedge` with the WASI-NN plugin.
//!
//!     complete MODEL PROMPT [--options JSON] [--single] [--twice] [--buffer BYTES]
//!
//! `-` as PROMPT reads it from standard input. A call that fails is named on standard error with its
//! number, which is the exit code too.

#![forbid(unsafe_code)]

use std::io::{Read, Write, stderr, stdin, stdout};
use std::process::ExitCode;

use wasmedge_wasi_nn::{
    BackendError, Error, ExecutionTarget, GraphBuilder, GraphEncoding, GraphExecutionContext,
    TensorType,
};

const USAGE: &str =
    "usage: complete MODEL PROMPT [--options JSON] [--single] [--twice] [--buffer BYTES]";

/// What LlamaEdge's apps take for every output.
const BUFFER_BYTES: usize = 2_usize.pow(14) * 15 + 128;

/// Not one of WASI-NN's numbers.
const EXIT_USAGE: u8 = 64;
const EXIT_IO: u8 = 74;

#[derive(Debug, Default, PartialEq, Eq)]
struct Arguments {
    model: String,
    prompt: String,
    options: Option<String>,
    /// Token by token.
    single: bool,
    /// Sets the prompt a second time.
    twice: bool,
    buffer_bytes: usize,
}

/// Which call failed, and how.
struct Failed(&'static str, Error);

fn main() -> ExitCode {
    let Some(arguments) = parse(std::env::args().skip(1)) else {
        return exit(EXIT_USAGE, USAGE);
    };
    match complete(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed(call, Error::BackendError(error))) => {
            let number = errno(&error);
            exit(number, &format!("{call}: {error} (errno {number})"))
        }
        Err(Failed(call, Error::IoError(error))) => exit(EXIT_IO, &format!("{call}: {error}")),
    }
}

fn complete(arguments: &Arguments) -> Result<(), Failed> {
    let prompt = prompt(arguments).map_err(|error| Failed("stdin", error.into()))?;
    let graph = GraphBuilder::new(GraphEncoding::Ggml, ExecutionTarget::AUTO)
        .build_from_cache(&arguments.model)
        .map_err(|error| Failed("load_by_name", error))?;
    let mut context =
        graph.init_execution_context().map_err(|e| Failed("init_execution_context", e))?;
    if let Some(options) = &arguments.options {
        set_input(&mut context, 1, options)?;
    }
    for _ in 0..=usize::from(arguments.twice) {
        set_input(&mut context, 0, &prompt)?;
    }
    let mut buffer = vec![0; arguments.buffer_bytes];
    match arguments.single {
        true => single(&mut context, &mut buffer),
        false => whole(&mut context, &mut buffer),
    }
}

fn set_input(context: &mut GraphExecutionContext, index: usize, text: &str) -> Result<(), Failed> {
    let call = if index == 0 { "set_input(0)" } else { "set_input(1)" };
    context.set_input(index, TensorType::U8, &[1], text).map_err(|error| Failed(call, error))
}

/// All of the answer at once; an end by a full context leaves an answer, too.
fn whole(context: &mut GraphExecutionContext, buffer: &mut [u8]) -> Result<(), Failed> {
    let computed = context.compute();
    if matches!(computed, Ok(()) | Err(Error::BackendError(BackendError::ContextFull))) {
        let bytes = context.get_output(0, buffer).map_err(|error| Failed("get_output", error))?;
        print(&buffer[..bytes])?;
        print(b"\n")?;
    }
    computed.map_err(|error| Failed("compute", error))
}

/// The answer token by token.
fn single(context: &mut GraphExecutionContext, buffer: &mut [u8]) -> Result<(), Failed> {
    let end = loop {
        if let Err(error) = context.compute_single() {
            break error;
        }
        let output = context.get_output_single(0, buffer);
        let bytes = output.map_err(|error| Failed("get_output_single", error))?;
        print(&buffer[..bytes])?;
    };
    print(b"\n")?;
    context.fini_single().map_err(|error| Failed("fini_single", error))?;
    match end {
        Error::BackendError(BackendError::EndOfSequence) => Ok(()),
        error => Err(Failed("compute_single", error)),
    }
}

fn print(bytes: &[u8]) -> Result<(), Failed> {
    let mut out = stdout().lock();
    let written = out.write_all(bytes).and_then(|()| out.flush());
    written.map_err(|error| Failed("stdout", error.into()))
}

fn prompt(arguments: &Arguments) -> std::io::Result<String> {
    let mut prompt = arguments.prompt.clone();
    if prompt == "-" {
        prompt.clear();
        stdin().read_to_string(&mut prompt)?;
    }
    Ok(prompt)
}

fn parse(mut words: impl Iterator<Item = String>) -> Option<Arguments> {
    let mut arguments = Arguments { buffer_bytes: BUFFER_BYTES, ..Arguments::default() };
    arguments.model = words.next()?;
    arguments.prompt = words.next()?;
    while let Some(word) = words.next() {
        match word.as_str() {
            "--options" => arguments.options = Some(words.next()?),
            "--single" => arguments.single = true,
            "--twice" => arguments.twice = true,
            "--buffer" => arguments.buffer_bytes = words.next()?.parse().ok()?,
            _ => return None,
        }
    }
    Some(arguments)
}

fn exit(code: u8, message: &str) -> ExitCode {
    // If even standard error is closed, the exit code has to say it all.
    drop(writeln!(stderr(), "complete: {message}"));
    ExitCode::from(code)
}

fn errno(error: &BackendError) -> u8 {
    match error {
        BackendError::InvalidArgument => 1,
        BackendError::InvalidEncoding => 2,
        BackendError::MissingMemory => 3,
        BackendError::Busy => 4,
        BackendError::RuntimeError => 5,
        BackendError::UnsupportedOperation => 6,
        BackendError::TooLarge => 7,
        BackendError::NotFound => 8,
        BackendError::EndOfSequence => 100,
        BackendError::ContextFull => 101,
        BackendError::PromptTooLong => 102,
        BackendError::ModelNotFound => 103,
        BackendError::UnknownError(number) => u8::try_from(*number).unwrap_or(u8::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> impl Iterator<Item = String> {
        line.split(' ').map(String::from).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn what_is_missing_or_unknown_is_refused() {
        for line in ["m", "m p --color", "m p --buffer", "m p --buffer many", "m p --options"] {
            assert_eq!(parse(words(line)), None, "{line}");
        }
    }

    #[test]
    fn all_arguments_are_understood() {
        let arguments = parse(words("m p --options {} --single --twice --buffer 7"));
        let expected = Arguments {
            model: "m".into(),
            prompt: "p".into(),
            options: Some("{}".into()),
            single: true,
            twice: true,
            buffer_bytes: 7,
        };
        assert_eq!(arguments, Some(expected));
        assert_eq!(parse(words("m p")).map(|found| found.buffer_bytes), Some(245_888));
    }
}
