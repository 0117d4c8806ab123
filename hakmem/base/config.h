/* SPDX-License-Identifier: MIT */
/* Sizes that fix the layout of memory. The generator's output is checked against them.
 *
 * Used by every layer; constants only. */
#ifndef HAKMEM_BASE_CONFIG_H
#define HAKMEM_BASE_CONFIG_H

/* Chunk: the grain of the page map; belongs to one slab or to nobody. */
#define HAK_CHUNK_SHIFT 16
#define HAK_CHUNK_BYTES 65536

/* Region: a header and chunks; its alignment lets a pointer find its header by masking. */
#define HAK_REGION_SHIFT 25
#define HAK_REGION_BYTES 33554432
#define HAK_REGION_CHUNKS 512

/* Upper ends of the pools, bytes, inclusive. */
#define HAK_TINY_MAX 1024
#define HAK_L2_MAX 32768
#define HAK_L25_MAX 1048576

/* 8192 blocks of 8 bytes fill a chunk: 128 words of 64 bits. */
#define HAK_BITMAP_WORDS_MAX 128

/* What a thread keeps of a class in full magazines beside its two: at most so many, of so many bytes of blocks together.
 * Larger ones cost more memory than an exchange is worth; measured, docs/performance.md. */
#define HAK_STASH_MAX 5
#define HAK_STASH_BYTES 32768

/* User addresses of x86-64 and arm64 Linux with four-level page tables. */
#define HAK_ADDRESS_BITS 47

/* hak_aligned_alloc's upper end. */
#define HAK_ALIGNMENT_MAX ((size_t)1 << 32)

#endif
