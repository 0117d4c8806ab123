/* SPDX-License-Identifier: MIT */
/* Constants of the memory layout, for every layer. The output of the class generator is checked against them. */
#ifndef HAKMEM_BASE_CONFIG_H
#define HAKMEM_BASE_CONFIG_H

/* Chunk: the unit of the page map; it belongs to one slab or is free. */
#define HAK_CHUNK_SHIFT 16
#define HAK_CHUNK_BYTES 65536

/* Region: a header and chunks; its alignment lets a pointer find its header by masking. */
#define HAK_REGION_SHIFT 25
#define HAK_REGION_BYTES 33554432
#define HAK_REGION_CHUNKS 512

/* Bytes at a region's start that its wall takes, in the regions that have one (region/region.h): whole pages of every
 * system that the build runs on. */
#if defined(__x86_64__)
#define HAK_REGION_WALL_BYTES 32768
#else
#define HAK_REGION_WALL_BYTES 65536
#endif

/* Upper ends of the pools, bytes, inclusive. */
#define HAK_TINY_MAX 1024
#define HAK_L2_MAX 32768
#define HAK_L25_MAX 1048576

/* 8192 blocks of 8 bytes fill a chunk: 128 words of 64 bits. */
#define HAK_BITMAP_WORDS_MAX 128

/* The most full magazines of a class that a thread keeps beside its two loaded ones, and the most bytes of their blocks
 * together. Larger limits cost more memory than the saved exchanges are worth; measured in docs/performance.md. */
#define HAK_STASH_MAX 5
#define HAK_STASH_BYTES 32768

/* The most bits of an address that Linux gives to a program which does not ask for one beyond: page tables of more levels
 * change nothing of that. A kernel may have fewer (hak_os_address_bits). */
#if defined(__aarch64__)
#define HAK_ADDRESS_BITS 48
#else
#define HAK_ADDRESS_BITS 47
#endif

/* The largest alignment of hak_aligned_alloc. */
#define HAK_ALIGNMENT_MAX ((size_t)1 << 32)

#endif
