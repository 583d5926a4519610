//! The two functions of `gaia_app` as guests call them: `next_request` and `emit`.

use crate::ffi::{Arguments, EndGuest, HostFunction, HostModule};
use crate::memory::GuestMemory;
use crate::nn::{self, Errno};
use crate::port::{Emitted, Guest, Halt};

/// Everything that an app may import, besides WASI.
pub(crate) const HOST_MODULES: &[HostModule<Guest>] = &[
    HostModule { name: nn::MODULE, functions: nn::HOST_FUNCTIONS },
    HostModule { name: gaia_protocol::APP_MODULE, functions: FUNCTIONS },
];

const FUNCTIONS: &[HostFunction<Guest>] = &[
    HostFunction {
        name: "next_request",
        parameters: 3,
        call: |guest, memory, arguments| answer(next_request(guest, memory, arguments)),
    },
    HostFunction {
        name: "emit",
        parameters: 2,
        call: |guest, memory, arguments| answer(emit(guest, memory, arguments)),
    },
];

/// `emit`'s answer when nobody listens any more.
const STOP: i32 = 1;

fn answer(result: Result<i32, Halt>) -> Result<i32, EndGuest> {
    match result {
        Ok(number) => Ok(number),
        Err(Halt::Errno(errno)) => Ok(errno.number()),
        Err(Halt::End) => Err(EndGuest),
    }
}

/// `next_request(buffer, buffer_bytes, *needed)`: waits for a request and copies it, if the buffer
/// holds all of it; if not, the guest asks again with a larger one.
fn next_request(
    guest: &mut Guest,
    memory: &mut GuestMemory<'_>,
    arguments: Arguments,
) -> Result<i32, Halt> {
    let [buffer, capacity, needed] = [0, 1, 2].map(|index| arguments.at(index));
    memory.read(buffer, capacity)?;
    memory.read_u32(needed)?;
    let Some(request) = guest.port.next_request()? else {
        return Ok(Errno::EndOfSequence.number());
    };
    let length = u32::try_from(request.len()).map_err(|_| Errno::TooLarge)?;
    memory.write_u32(needed, length)?;
    if length > capacity {
        return Ok(Errno::TooLarge.number());
    }
    memory.write(buffer, request)?;
    guest.port.request_taken();
    Ok(Errno::Success.number())
}

/// `emit(event, event_bytes)`.
fn emit(
    guest: &mut Guest,
    memory: &mut GuestMemory<'_>,
    arguments: Arguments,
) -> Result<i32, Halt> {
    let event = memory.read(arguments.at(0), arguments.at(1))?;
    Ok(match guest.port.emit(event)? {
        Emitted::Continue => Errno::Success.number(),
        Emitted::Stop => STOP,
    })
}
