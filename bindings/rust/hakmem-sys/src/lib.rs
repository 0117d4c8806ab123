// SPDX-License-Identifier: MIT
//! What hakmem.h declares, for Rust: allocation, statistics and the profile. The header says what each does.
#![allow(non_camel_case_types)]
#![no_std]

use core::ffi::c_void;

pub type c_char = i8;
pub type c_int = i32;

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct hak_pool_stats {
    pub allocations: u64,
    pub frees: u64,
    pub live_blocks: u64,
    pub live_bytes: u64,
    pub cached_blocks: u64,
    pub cached_bytes: u64,
    pub free_blocks: u64,
    pub free_bytes: u64,
    pub slabs: u64,
    pub slabs_owned: u64,
    pub slabs_full: u64,
    pub slabs_partial: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct hak_stats {
    pub tiny: hak_pool_stats,
    pub l2: hak_pool_stats,
    pub l25: hak_pool_stats,
    pub huge: hak_pool_stats,
    pub exact: bool,
    pub quiet: bool,
    pub threads: u64,
    pub exchanges: u64,
    pub remote_frees: u64,
    pub held_bytes: u64,
    pub held_bytes_most: u64,
    pub slab_bytes: u64,
    pub slab_free_bytes: u64,
    pub slab_free_blocks: u64,
    pub slabs_empty: u64,
    pub magazine_bytes: u64,
    pub metadata_bytes: u64,
    pub decaying_bytes: u64,
    pub mapped_bytes: u64,
    pub purged_bytes: u64,
    pub huge_blocks_most: u64,
    pub huge_bytes_most: u64,
    pub system_maps: u64,
    pub system_unmaps: u64,
    pub system_purges: u64,
    pub system_remaps: u64,
}

extern "C" {
    pub fn hak_alloc(size: usize) -> *mut c_void;
    pub fn hak_calloc(count: usize, size: usize) -> *mut c_void;
    pub fn hak_realloc(p: *mut c_void, size: usize) -> *mut c_void;
    pub fn hak_aligned_alloc(alignment: usize, size: usize) -> *mut c_void;
    pub fn hak_free(p: *mut c_void);
    pub fn hak_usable_size(p: *const c_void) -> usize;
    pub fn hak_thread_flush();
    pub fn hak_thread_idle();
    pub fn hak_trim() -> usize;
    pub fn hak_stats_get(stats: *mut hak_stats);
    pub fn hak_profile_start(rate: usize) -> c_int;
    pub fn hak_profile_stop();
    pub fn hak_profile_write(path: *const c_char) -> c_int;
    pub fn hak_config_string() -> *const c_char;
    pub fn hak_version() -> *const c_char;
}

#[cfg(test)]
mod tests {
    use super::*;

    extern "C" {
        static hakmem_sys_layout: [usize; 4];
    }

    #[test]
    fn structs_are_those_of_the_header() {
        let stats = hak_stats::default();
        let start = &stats as *const hak_stats as usize;
        let here = [
            core::mem::size_of::<hak_stats>(),
            core::mem::size_of::<hak_pool_stats>(),
            &stats.threads as *const u64 as usize - start,
            &stats.system_remaps as *const u64 as usize - start,
        ];
        assert_eq!(here, unsafe { hakmem_sys_layout });
    }
}
