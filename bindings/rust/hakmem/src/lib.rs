// SPDX-License-Identifier: MIT
//! hakmem as Rust's global allocator:
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: hakmem::Hakmem = hakmem::Hakmem;
//! ```
//!
//! What Rust allocates is hakmem's then, and [`stats`] counts it exactly. C libraries keep their malloc, unless the feature
//! `replace-malloc` is on.

use hakmem_sys as sys;
use std::alloc::{GlobalAlloc, Layout};
use std::ffi::{CStr, CString};
use std::io;
use std::os::raw::c_char;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

pub use sys::hak_pool_stats as PoolStats;
pub use sys::hak_stats as Stats;

/// The allocator, for `#[global_allocator]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hakmem;

/// Blocks of 16 bytes and more are aligned to 16, and all to 8.
fn is_aligned_anyhow(alignment: usize, size: usize) -> bool {
    alignment <= 8 || (alignment <= 16 && size >= 16)
}

// Blocks are unique, live until they are freed, and aligned as the layout says. No function unwinds.
unsafe impl GlobalAlloc for Hakmem {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_aligned_anyhow(layout.align(), layout.size()) {
            sys::hak_alloc(layout.size()) as *mut u8
        } else {
            sys::hak_aligned_alloc(layout.align(), layout.size()) as *mut u8
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, _layout: Layout) {
        sys::hak_free(block as *mut _)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_aligned_anyhow(layout.align(), layout.size()) {
            return sys::hak_calloc(1, layout.size()) as *mut u8;
        }
        let block = self.alloc(layout);
        if !block.is_null() {
            ptr::write_bytes(block, 0, layout.size());
        }
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if is_aligned_anyhow(layout.align(), new_size) {
            return sys::hak_realloc(block as *mut _, new_size) as *mut u8;
        }
        let moved = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
        if !moved.is_null() {
            ptr::copy_nonoverlapping(block, moved, layout.size().min(new_size));
            self.dealloc(block, layout);
        }
        moved
    }
}

/// What the heap holds now. No thread that allocates waits for it.
pub fn stats() -> Stats {
    let mut stats = Stats::default();
    unsafe { sys::hak_stats_get(&mut stats) };
    stats
}

/// Whether `block` is the start of a block of hakmem's.
pub fn owns<T>(block: *const T) -> bool {
    unsafe { sys::hak_usable_size(block as *const _) != 0 }
}

/// Returns all unused memory to the system, and the number of its bytes.
pub fn trim() -> usize {
    unsafe { sys::hak_trim() }
}

/// "MAJOR.MINOR.PATCH" of the library.
pub fn version() -> &'static str {
    let text = unsafe { CStr::from_ptr(sys::hak_version() as *const c_char) };
    text.to_str().unwrap_or("unknown")
}

/// The sampled profile of what allocates.
pub mod profile {
    use super::*;

    fn result(error: i32) -> io::Result<()> {
        match error {
            0 => Ok(()),
            _ => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// Samples one in `rate` bytes on average; 0 means 524,288, and 1 every block.
    pub fn start(rate: usize) -> io::Result<()> {
        result(unsafe { sys::hak_profile_start(rate) })
    }

    /// Samples no more; what was sampled can still be written.
    pub fn stop() {
        unsafe { sys::hak_profile_stop() }
    }

    /// Writes what was sampled, in pprof's format.
    pub fn write<P: AsRef<Path>>(path: P) -> io::Result<()> {
        let path = CString::new(path.as_ref().as_os_str().as_bytes())?;
        result(unsafe { sys::hak_profile_write(path.as_ptr() as *const _) })
    }
}
