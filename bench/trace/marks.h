/* SPDX-License-Identifier: MIT */
/* Self-check of a replay, for --verify: every live block holds a pattern of its own, all of it up to a megabyte and one
 * word in every page above. It is written when the block is made and checked when it is freed or reallocated, so a
 * block that overlaps another, moves without its content or is not zero where calloc promises it, ends the process
 * with status 1 and a message. */
#ifndef BENCH_TRACE_MARKS_H
#define BENCH_TRACE_MARKS_H

#include "hakmem/base/compiler.h"

/* Names a block while it lives: different for blocks that live at the same time. */
uint64_t marks_key(uint32_t lane, uint32_t slot, bool shared);

void marks_write(void *p, uint64_t size, uint64_t key);

/* The first `size` bytes of a block that was marked with `whole` bytes. `when` is for the message. */
void marks_check(const void *p, uint64_t size, uint64_t whole, uint64_t key, const char *when);

void marks_check_zero(const void *p, uint64_t size);
void marks_check_alignment(const void *p, uint64_t size, unsigned alignment_log2);

#endif
