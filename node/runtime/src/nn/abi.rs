//! The functions of `wasi_ephemeral_nn` as guests call them.
//!
//! All pointers are checked before anything is done; one that leaves the guest's memory answers
//! `MissingMemory`. A tensor's type and dimensions are not looked at: guests pass text as bytes of
//! any type with any dimensions, and the GGML encoding ignores both.

use std::borrow::Cow;

use super::context::Context;
use super::errno::Errno;
use crate::ffi::{Arguments, EndGuest, HostFunction};
use crate::memory::GuestMemory;
use crate::port::{Guest, Halt};

/// The import module.
pub(crate) const MODULE: &str = "wasi_ephemeral_nn";

/// Bytes of a model's name at most.
const NAME_BYTES_MAX: u32 = 4096;
/// Bytes of an options JSON at most.
const OPTIONS_BYTES_MAX: u32 = 1 << 20;
/// Bytes of a prompt at most, far over any context.
const PROMPT_BYTES_MAX: u32 = 16 << 20;
/// Builders of `load`: the model and its options.
const BUILDERS_MAX: u32 = 2;

const ENCODING_GGML: u32 = 6;
const ENCODING_LAST: u32 = 14;
const TARGET_LAST: u32 = 2;
const PRELOAD: &[u8] = b"preload:";

type Call = fn(&mut Guest, &mut GuestMemory<'_>, Arguments) -> Result<(), Halt>;

macro_rules! functions {
    ($($name:ident / $parameters:literal),* $(,)?) => {
        /// Every function there is.
        pub(crate) const HOST_FUNCTION_NAMES: &[&str] = &[$(stringify!($name)),*];

        /// Every function, callable.
        pub(crate) const HOST_FUNCTIONS: &[HostFunction<Guest>] = &[$(HostFunction {
            name: stringify!($name),
            parameters: $parameters,
            call: |guest, memory, arguments| answer($name, guest, memory, arguments),
        }),*];
    };
}

functions! {
    load / 5,
    load_by_name / 3,
    load_by_name_with_config / 5,
    init_execution_context / 2,
    set_input / 3,
    get_output / 5,
    get_output_single / 5,
    compute / 1,
    compute_single / 1,
    fini_single / 1,
    unload / 1,
    finalize_execution_context / 1,
}

fn answer(
    call: Call,
    guest: &mut Guest,
    memory: &mut GuestMemory<'_>,
    arguments: Arguments,
) -> Result<i32, EndGuest> {
    match call(guest, memory, arguments) {
        Ok(()) => Ok(Errno::Success.number()),
        Err(Halt::Errno(errno)) => Ok(errno.number()),
        Err(Halt::End) => Err(EndGuest),
    }
}

/// `load(builders, builder_count, encoding, target, *graph)`. The model's bytes can't come from
/// the guest: the first builder must be `preload:NAME` with a name that `load_by_name` knows.
fn load(guest: &mut Guest, memory: &mut GuestMemory<'_>, arguments: Arguments) -> Result<(), Halt> {
    let [builders, count, encoding, target, result] =
        [0, 1, 2, 3, 4].map(|index| arguments.at(index));
    memory.read_u32(result)?;
    check_kind(encoding, target)?;
    if count == 0 || count > BUILDERS_MAX {
        return Err(Errno::InvalidArgument.into());
    }
    let model = builder(memory, builders, 0)?;
    let options = if count > 1 { Some(builder(memory, builders, 1)?) } else { None };
    let Some(name) = model.strip_prefix(PRELOAD) else {
        tracing::warn!("a guest brings a model of its own; only preload:NAME is offered");
        return Err(Errno::UnsupportedOperation.into());
    };
    let name = std::str::from_utf8(name).map_err(|_| Errno::InvalidEncoding)?;
    let graph = guest.world.load(name, options)?;
    Ok(memory.write_u32(result, graph)?)
}

fn check_kind(encoding: u32, target: u32) -> Result<(), Errno> {
    if target > TARGET_LAST {
        return Err(Errno::InvalidArgument);
    }
    match encoding {
        ENCODING_GGML => Ok(()),
        // Known, but not built in: the stock plugin's answer too.
        0..=ENCODING_LAST => Err(Errno::InvalidArgument),
        _ => Err(Errno::InvalidEncoding),
    }
}

/// The bytes of the builder at `index` of a list of (pointer, length).
fn builder<'m>(memory: &'m GuestMemory<'_>, list: u32, index: u32) -> Result<&'m [u8], Errno> {
    let at = list.checked_add(index * 8).ok_or(Errno::MissingMemory)?;
    let pointer = memory.read_u32(at)?;
    let length = memory.read_u32(at.checked_add(4).ok_or(Errno::MissingMemory)?)?;
    bounded(memory, pointer, length, OPTIONS_BYTES_MAX)
}

/// `load_by_name(name, name_length, *graph)`.
fn load_by_name(
    guest: &mut Guest,
    memory: &mut GuestMemory<'_>,
    arguments: Arguments,
) -> Result<(), Halt> {
    let result = arguments.at(2);
    memory.read_u32(result)?;
    let name = name(memory, arguments)?;
    let graph = guest.world.load(name, None)?;
    Ok(memory.write_u32(result, graph)?)
}

/// `load_by_name_with_config(name, name_length, config, config_length, *graph)`.
fn load_by_name_with_config(
    guest: &mut Guest,
    memory: &mut GuestMemory<'_>,
    arguments: Arguments,
) -> Result<(), Halt> {
    let result = arguments.at(4);
    memory.read_u32(result)?;
    let name = name(memory, arguments)?;
    let options = bounded(memory, arguments.at(2), arguments.at(3), OPTIONS_BYTES_MAX)?;
    let graph = guest.world.load(name, Some(options))?;
    Ok(memory.write_u32(result, graph)?)
}

fn name<'m>(memory: &'m GuestMemory<'_>, arguments: Arguments) -> Result<&'m str, Errno> {
    let bytes = bounded(memory, arguments.at(0), arguments.at(1), NAME_BYTES_MAX)?;
    // A name that is no text is nobody's name.
    std::str::from_utf8(bytes).map_err(|_| Errno::NotFound)
}

/// `init_execution_context(graph, *context)`.
fn init_execution_context(
    guest: &mut Guest,
    memory: &mut GuestMemory<'_>,
    arguments: Arguments,
) -> Result<(), Halt> {
    memory.read_u32(arguments.at(1))?;
    let context = guest.world.open(arguments.at(0))?;
    Ok(memory.write_u32(arguments.at(1), context)?)
}

/// `set_input(context, index, *tensor)`; a tensor is five numbers: dimensions (pointer, length),
/// type, data (pointer, length). Index 1 is the options, 2 (an extension) the prompt as tokens; any
/// other is the prompt.
fn set_input(
    guest: &mut Guest,
    memory: &mut GuestMemory<'_>,
    arguments: Arguments,
) -> Result<(), Halt> {
    let tensor = memory.read(arguments.at(2), 20)?;
    let [pointer, length] = [12, 16].map(|at| {
        u32::from_le_bytes(tensor[at..at + 4].try_into().expect("a slice of four bytes"))
    });
    let index = arguments.at(1);
    let limit = if index == 1 { OPTIONS_BYTES_MAX } else { PROMPT_BYTES_MAX };
    let data = bounded(memory, pointer, length, limit)?;
    let pictures = guest.port.pictures();
    let context = guest.world.live(arguments.at(0))?;
    match index {
        1 => context.set_options(data)?,
        2 => context.set_tokens(data)?,
        _ => context.set_prompt(data, pictures)?,
    }
    Ok(())
}

/// `get_output(context, index, buffer, buffer_length, *written)`.
fn get_output(
    guest: &mut Guest,
    memory: &mut GuestMemory<'_>,
    arguments: Arguments,
) -> Result<(), Halt> {
    copy_out(guest, memory, arguments, |context, index| match index {
        2 => context.input_tokens().into(),
        3 => context.prompt_logprobs().into(),
        _ => context.output().into(),
    })
}

/// `get_output_single(context, index, buffer, buffer_length, *written)`.
fn get_output_single(
    guest: &mut Guest,
    memory: &mut GuestMemory<'_>,
    arguments: Arguments,
) -> Result<(), Halt> {
    copy_out(guest, memory, arguments, |context, index| match index {
        2 => context.logprob().into(),
        _ => context.last_piece().into(),
    })
}

/// Index 1 is the metadata, any other what `output` gives. Always says how long it is; copies it
/// only if the buffer holds all of it.
fn copy_out(
    guest: &mut Guest,
    memory: &mut GuestMemory<'_>,
    arguments: Arguments,
    output: fn(&Context, u32) -> Cow<'_, [u8]>,
) -> Result<(), Halt> {
    let [context, index, buffer, capacity, written] =
        [0, 1, 2, 3, 4].map(|index| arguments.at(index));
    memory.read(buffer, capacity)?;
    memory.read_u32(written)?;
    let context = guest.world.any(context)?;
    let bytes = if index == 1 { context.metadata().into() } else { output(context, index) };
    let length = u32::try_from(bytes.len()).map_err(|_| Errno::TooLarge)?;
    memory.write_u32(written, length)?;
    if length > capacity {
        return Err(Errno::TooLarge.into());
    }
    Ok(memory.write(buffer, &bytes)?)
}

/// `compute(context)`.
fn compute(guest: &mut Guest, _: &mut GuestMemory<'_>, arguments: Arguments) -> Result<(), Halt> {
    guest.port.check()?;
    guest.world.live(arguments.at(0))?.compute(guest.port.as_ref())
}

/// `compute_single(context)`.
fn compute_single(
    guest: &mut Guest,
    _: &mut GuestMemory<'_>,
    arguments: Arguments,
) -> Result<(), Halt> {
    guest.world.live(arguments.at(0))?.compute_single(guest.port.as_ref())
}

/// `fini_single(context)`.
fn fini_single(
    guest: &mut Guest,
    _: &mut GuestMemory<'_>,
    arguments: Arguments,
) -> Result<(), Halt> {
    guest.world.any(arguments.at(0))?.finish_single();
    Ok(())
}

/// `unload(graph)`.
fn unload(guest: &mut Guest, _: &mut GuestMemory<'_>, arguments: Arguments) -> Result<(), Halt> {
    Ok(guest.world.unload(arguments.at(0))?)
}

/// `finalize_execution_context(context)`.
fn finalize_execution_context(
    guest: &mut Guest,
    _: &mut GuestMemory<'_>,
    arguments: Arguments,
) -> Result<(), Halt> {
    Ok(guest.world.close(arguments.at(0))?)
}

/// A range of the guest's memory that is not over `limit`.
fn bounded<'m>(
    memory: &'m GuestMemory<'_>,
    pointer: u32,
    length: u32,
    limit: u32,
) -> Result<&'m [u8], Errno> {
    let bytes = memory.read(pointer, length)?;
    if length > limit {
        return Err(Errno::TooLarge);
    }
    Ok(bytes)
}
