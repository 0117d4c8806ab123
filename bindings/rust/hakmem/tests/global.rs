// SPDX-License-Identifier: MIT
//! A program whose global allocator is hakmem. One test, since the counts are those of the whole process.

use std::alloc::{alloc, alloc_zeroed, dealloc, realloc, Layout};

#[global_allocator]
static ALLOCATOR: hakmem::Hakmem = hakmem::Hakmem;

const BLOCKS: usize = 10_000;
const SIZE: usize = 100;

fn live() -> u64 {
    hakmem::stats().tiny.live_blocks
}

fn aligned_blocks() {
    for &alignment in &[1, 8, 16, 64, 4096] {
        for &size in &[1, 8, 16, 24, 5000] {
            let layout = Layout::from_size_align(size, alignment).unwrap();
            unsafe {
                let block = alloc_zeroed(layout);
                assert_eq!(0, block as usize % alignment);
                assert!(std::slice::from_raw_parts(block, size).iter().all(|&byte| byte == 0));
                *block = 42;
                let moved = realloc(block, layout, 2 * size);
                assert_eq!((0, 42), (moved as usize % alignment, *moved));
                dealloc(moved, Layout::from_size_align(2 * size, alignment).unwrap());
                let block = alloc(layout);
                assert_eq!(0, block as usize % alignment);
                dealloc(block, layout);
            }
        }
    }
}

extern "C" {
    fn strdup(text: *const std::os::raw::c_char) -> *mut std::os::raw::c_char;
    fn free(block: *mut std::ffi::c_void);
}

/// Whether a block that the C library allocates is hakmem's.
fn is_malloc_replaced() -> bool {
    let text = std::ffi::CString::new("some text").unwrap();
    unsafe {
        let block = strdup(text.as_ptr()) as *mut std::ffi::c_void;
        let replaced = hakmem::owns(block);
        free(block);
        replaced
    }
}

#[test]
fn what_rust_allocates_is_counted_and_profiled() {
    assert_eq!(env!("CARGO_PKG_VERSION"), hakmem::version());
    aligned_blocks();
    assert_eq!(cfg!(feature = "replace-malloc"), is_malloc_replaced());

    assert!(hakmem::profile::write("/nowhere/profile").is_err());
    hakmem::profile::start(1).unwrap();
    let before = live();
    let blocks: Vec<Box<[u8; SIZE]>> = (0..BLOCKS).map(|_| Box::new([1; SIZE])).collect();
    let held = live();
    assert!(held >= before + BLOCKS as u64 && held < before + BLOCKS as u64 + 1000, "{} {}", before, held);
    let path = std::env::temp_dir().join(format!("hakmem-{}.pb.gz", std::process::id()));
    hakmem::profile::write(&path).unwrap();
    let written = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!([0x1f, 0x8b], written[..2]); // gzip
    hakmem::profile::stop();
    drop(blocks);
    assert!(live() < before + 1000);

    assert!(hakmem::stats().exact);
    assert!(std::thread::spawn(|| vec![7; 100_000].len()).join().unwrap() == 100_000);
    hakmem::trim();
}
