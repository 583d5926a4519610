//! Memory that WasmEdge's libraries take.

use std::ffi::{CStr, c_int, c_void};

/// Beginnings of the libraries' names: LLVM may be one of its own.
const LIBRARIES: [&str; 2] = ["libLLVM", "libwasmedge"];

/// Bytes of a page of x86-64's.
const SYSTEM_PAGE_BYTES: usize = 4096;

/// Lets the system have the pages of WasmEdge's libraries that starting has read into this process, and
/// returns how many bytes they span: the dynamic linker looks up each of LLVM's symbols, and after that
/// only compiling reads them. What is needed comes back from the file.
pub(crate) fn release_library_pages() -> usize {
    let mut bytes = 0_usize;
    let data: *mut usize = &raw mut bytes;
    // SAFETY: `release` has the form that is asked for and does not unwind; `data` is what it expects
    // and outlives the call, which keeps neither.
    unsafe { libc::dl_iterate_phdr(Some(release), data.cast()) };
    bytes
}

/// Called for each loaded library.
unsafe extern "C" fn release(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    data: *mut c_void,
) -> c_int {
    // SAFETY: the linker passes a description that holds during the call, in which nothing is unloaded;
    // `data` is the pointer that `release_library_pages` passed.
    let (info, bytes) = unsafe { (&*info, &mut *data.cast::<usize>()) };
    if info.dlpi_phdr.is_null() || !is_wasmedges(info) {
        return 0;
    }
    // SAFETY: the linker says how many headers there are.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    for header in headers {
        *bytes += release_segment(info.dlpi_addr, header);
    }
    0
}

fn is_wasmedges(info: &libc::dl_phdr_info) -> bool {
    if info.dlpi_name.is_null() {
        return false;
    }
    // SAFETY: the linker's names end with NUL and live as long as the library.
    let path = unsafe { CStr::from_ptr(info.dlpi_name) }.to_string_lossy();
    let name = path.rsplit('/').next().unwrap_or_default();
    LIBRARIES.iter().any(|library| name.starts_with(library))
}

/// Bytes of the whole pages in a segment that holds what its file holds; none of another one.
fn release_segment(base: u64, header: &libc::Elf64_Phdr) -> usize {
    if header.p_type != libc::PT_LOAD || header.p_flags & libc::PF_W != 0 {
        return 0;
    }
    let address = |offset: u64| usize::try_from(base + offset).unwrap_or_default();
    let start = address(header.p_vaddr).next_multiple_of(SYSTEM_PAGE_BYTES);
    let end = address(header.p_vaddr + header.p_memsz) / SYSTEM_PAGE_BYTES * SYSTEM_PAGE_BYTES;
    let bytes = end.saturating_sub(start);
    let pages = std::ptr::with_exposed_provenance_mut(start);
    // SAFETY: the pages are of a file's private mapping that nobody can write to, and the linker writes
    // to such segments only for relocations in code, which x86-64's libraries don't have: so reading
    // them again from the file gives the same bytes.
    let released = unsafe { libc::madvise(pages, bytes, libc::MADV_DONTNEED) };
    if released == 0 { bytes } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wasmedge_works_on_when_its_pages_are_gone() {
        let before = super::super::version();
        let bytes = release_library_pages();
        assert!(bytes > 1 << 20, "{bytes}");
        assert_eq!(super::super::version(), before);
    }
}
