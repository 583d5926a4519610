//! Unmodified WASI commands that use WASI-NN, run once in the foreground.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use gaia_inference::{Engine, LoadError};

use crate::app::{App, LoadOptions};
use crate::app_abi::HOST_MODULES;
use crate::error::AppError;
use crate::ffi::{Exit, Instance, InstancePlan, Stdio};
use crate::nn::{self, Errno, Model, Resolution, Resolver, World};
use crate::port::{Emitted, Guest, Halt, Patience, PictureReader, Pictures, Port};

/// Stack of the command's thread; see the pool's.
const STACK_BYTES: usize = 8 << 20;

/// Linear memory of a command: all that 32 bits can address.
const MEMORY_BYTES_MAX: u64 = 4 << 30;

/// What a command's model name stands for; the function may take its time and load it.
pub type ModelLoader = Box<dyn FnMut(&str) -> Option<Result<Engine, LoadError>> + Send>;

/// A command to run.
pub struct CommandApp {
    /// The wasm file.
    pub path: PathBuf,
    /// Its arguments, without the program's name.
    pub arguments: Vec<String>,
    /// Where compiled modules are kept; `None`: the command is interpreted.
    pub cache_dir: Option<PathBuf>,
    /// Called when the command loads a model by name, once per name. `None`: no such model.
    pub models: ModelLoader,
    /// Reads the pictures in its prompts.
    pub pictures: PictureReader,
}

/// Why a command has no exit code.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The file can't be used.
    #[error(transparent)]
    App(#[from] AppError),
    /// The instance could not be made.
    #[error("starting {path}: {message}")]
    Start {
        /// The wasm file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// The command trapped.
    #[error("{path} trapped: {message}")]
    Trap {
        /// The wasm file.
        path: PathBuf,
        /// WasmEdge's words.
        message: String,
    },
}

/// Runs a command with this process's standard streams and returns its exit code. It sees its
/// arguments, and no folder and no environment. There is no limit but its memory's: who started it
/// can end it.
///
/// # Errors
/// The file, or a trap.
pub fn run_app(command: CommandApp) -> Result<u32, CommandError> {
    let app = App::load(&LoadOptions {
        path: &command.path,
        cache_dir: command.cache_dir.as_deref(),
        metered: false,
        memory_bytes_max: MEMORY_BYTES_MAX,
    })?;
    let start_error = |message| CommandError::Start { path: command.path.clone(), message };
    let stdio = inherited().map_err(start_error)?;
    let mut arguments = vec![app.name()];
    arguments.extend(command.arguments);
    let port = Box::new(CommandPort { pictures: command.pictures });
    let models = resolver(command.models);
    let guest = move || Guest { port, world: World::new(models) };
    let exit = on_own_stack(move || run(&app, &arguments, stdio, guest()));
    code(&command.path, exit.map_err(start_error)?)
}

/// On a thread of our own, for a stack of a known size.
pub(crate) fn on_own_stack(
    run: impl FnOnce() -> Result<Exit, String> + Send + 'static,
) -> Result<Exit, String> {
    let thread = std::thread::Builder::new().name("command".into()).stack_size(STACK_BYTES);
    let running = thread.spawn(run).map_err(|error| error.to_string())?;
    running.join().unwrap_or_else(|_| Err("its thread panicked".into()))
}

fn run(app: &App, arguments: &[String], stdio: Stdio, state: Guest) -> Result<Exit, String> {
    let plan = InstancePlan {
        module: &app.module,
        hosts: HOST_MODULES,
        state,
        stdio,
        arguments,
        folder: None,
        instructions_max: None,
        stop: Arc::default(),
    };
    let instance = Instance::new(plan).map_err(|failure| failure.to_string())?;
    Ok(instance.run())
}

fn code(path: &std::path::Path, exit: Exit) -> Result<u32, CommandError> {
    let message = match exit {
        Exit::Code(code) => return Ok(code),
        Exit::Trap(message) => message,
        Exit::Panic(message) => format!("a host function panicked: {message}"),
        Exit::InstructionLimit | Exit::Stopped | Exit::EndedByHost => "it was stopped".into(),
    };
    Err(CommandError::Trap { path: path.to_owned(), message })
}

/// Copies of this process's streams: the guest's end does not close ours.
pub(crate) fn inherited() -> Result<Stdio, String> {
    let copy = |stream: &dyn AsFd| -> Result<Arc<OwnedFd>, String> {
        let copied = stream.as_fd().try_clone_to_owned();
        copied.map(Arc::new).map_err(|error| format!("copying a standard stream: {error}"))
    };
    Ok(Stdio {
        input: copy(&std::io::stdin())?,
        output: copy(&std::io::stdout())?,
        error: copy(&std::io::stderr())?,
    })
}

/// Asks for each model once and keeps it.
fn resolver(mut models: ModelLoader) -> Resolver {
    let mut loaded: HashMap<String, Arc<dyn Model>> = HashMap::new();
    Box::new(move |name| {
        if let Some(model) = loaded.get(name) {
            return Resolution::Found(Arc::clone(model));
        }
        match models(name) {
            None => Resolution::Unknown,
            Some(Ok(engine)) => {
                let model = nn::shared_engine(engine);
                loaded.insert(name.to_owned(), Arc::clone(&model));
                Resolution::Found(model)
            }
            Some(Err(error)) => {
                tracing::error!(name, %error, "the model can't be loaded");
                match error {
                    LoadError::Unreadable { .. } => Resolution::FileMissing,
                    _ => Resolution::Failed,
                }
            }
        }
    })
}

/// A command serves no requests.
struct CommandPort {
    pictures: PictureReader,
}

impl Patience for CommandPort {
    fn check(&self) -> Result<(), Halt> {
        Ok(())
    }
}

impl Port for CommandPort {
    fn next_request(&mut self) -> Result<Option<&[u8]>, Halt> {
        Ok(None)
    }

    fn request_taken(&mut self) {}

    fn pictures(&self) -> Pictures<'_> {
        Pictures::Within(&self.pictures)
    }

    fn emit(&mut self, _: &[u8]) -> Result<Emitted, Halt> {
        Err(Halt::Errno(Errno::UnsupportedOperation))
    }
}
