//! System calls by number: what a hostile program has, whatever its language forbids.

use std::os::raw::{c_int, c_long, c_void};

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn fork() -> c_int;
    fn setsid() -> c_int;
    fn kill(pid: c_int, signal: c_int) -> c_int;
    fn signal(number: c_int, handler: usize) -> usize;
    fn close(fd: c_int) -> c_int;
    fn memset(to: *mut c_void, byte: c_int, count: usize) -> *mut c_void;
}

/// A system call; an error is its number.
pub fn call(number: i64, arguments: [usize; 6]) -> Result<i64, i32> {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: none, which is the point; the arguments here are zero, small or valid pointers.
    match unsafe { syscall(number, a, b, c, d, e, f) } {
        -1 => Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)),
        value => Ok(value),
    }
}

/// 0 in the child, -1 when refused.
pub fn split() -> i32 {
    // SAFETY: one thread.
    unsafe { fork() }
}

/// A session of its own.
pub fn session() {
    // SAFETY: no pointer is passed.
    unsafe { setsid() };
}

/// Sends a signal; an error is its number.
pub fn send(pid: i32, number: i32) -> Result<i64, i32> {
    // SAFETY: no pointer is passed.
    match unsafe { kill(pid, number) } {
        0 => Ok(0),
        _ => Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)),
    }
}

/// Ignores every signal that can be ignored.
pub fn ignore_signals() {
    for number in 1..32 {
        // SAFETY: 1 is SIG_IGN.
        unsafe { signal(number, 1) };
    }
}

/// Closes the standard streams.
pub fn close_streams() {
    for fd in 0..3 {
        // SAFETY: nothing here uses them any more.
        unsafe { close(fd) };
    }
}

/// Asks for the process's number through the door for 32-bit programs.
pub fn compat() -> i32 {
    let mut number = 20i32;
    // SAFETY: the call takes no argument and changes nothing but its register.
    unsafe { std::arch::asm!("int 0x80", inout("eax") number) };
    number
}

/// Writes where nothing is.
pub fn crash() {
    // SAFETY: none: it dies.
    unsafe { memset(std::ptr::without_provenance_mut(8), 1, 1) };
}
