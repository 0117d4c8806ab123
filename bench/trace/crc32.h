/* SPDX-License-Identifier: MIT */
/* CRC-32 as in zlib, PNG and IEEE 802.3: Python's zlib.crc32 gives the same. Code of our own, since the recorder is
 * loaded into programs and may bring no library but libc with it. */
#ifndef BENCH_TRACE_CRC32_H
#define BENCH_TRACE_CRC32_H

#include "hakmem/base/compiler.h"

/* Fills the tables. Before the first crc32_add, by one thread. */
void crc32_start(void);

/* `crc` is 0 at first, then the result for the bytes before, as with zlib.crc32(bytes, crc). */
uint32_t crc32_add(uint32_t crc, const void *bytes, size_t length);

#endif
