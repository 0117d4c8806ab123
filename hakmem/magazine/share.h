/* SPDX-License-Identifier: MIT */
/* How much a thread may hold in magazines of classes above tiny: its share of a budget that all threads of the process have
 * together. What a magazine holds stays there while its thread waits, so the more threads there are, the less each may hold.
 * A share bounds the room of each magazine, so it holds for blocks that free stores without an exchange too. */
#ifndef HAKMEM_MAGAZINE_SHARE_H
#define HAKMEM_MAGAZINE_SHARE_H

#include <stddef.h>
#include <stdint.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"

/* So many threads have no share: the room of their magazines follows from their exchanges alone. */
#define SHARE_FREE_THREADS 16u

/* What is divided, bytes, and what each thread gets at least. */
#define SHARE_BUDGET_BYTES ((size_t)16 << 20)
#define SHARE_LEAST_BYTES ((size_t)128 << 10)

/* The part of its share that one magazine may have room for. A thread that uses every class above tiny has three times as many
 * magazines, most of which hold less. */
#define SHARE_MAGAZINES 24u

/* Atomic; bytes of blocks that one magazine may have room for; SIZE_MAX: any. Written under the threads lock. */
extern HAK_INTERNAL size_t hak_share_magazine;

/* Relaxed: a hint, which the next exchange of each class follows. */
HAK_ALWAYS_INLINE size_t share_magazine_bytes(void) { return hak_load_relaxed(&hak_share_magazine); }

/* Blocks of that size that one magazine may have room for now: at most `most`, whatever the share becomes meanwhile, since it reads
 * it once. Another call may say more or less. Any thread. */
uint32_t hak_share_blocks(size_t block_size, uint32_t most);

/* What a thread keeps in magazines of classes above tiny before it gives up those that it does not use, bytes: its part of an eighth of
 * what the process holds, within these bounds. So what is kept is little beside what is live. The upper one times the threads that have
 * no share is the budget. Any thread. */
#define SHARE_KEPT_LEAST_BYTES ((size_t)256 << 10)
#define SHARE_KEPT_MOST_BYTES (SHARE_BUDGET_BYTES / SHARE_FREE_THREADS)
size_t hak_share_kept_bytes(void);

/* Divides the budget among so many threads. pre: the caller has the threads lock */
void hak_share_divide(uint32_t threads);

#endif
