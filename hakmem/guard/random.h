/* SPDX-License-Identifier: MIT */
/* Random choices: one generator a thread, begun by the kernel's random bytes.
 *
 * ChaCha with 8 rounds, four blocks at a time: 32 bytes of them are the next key, others are drawn, and both are erased as
 * they are used ("fast key erasure", D. J. Bernstein, 2017). So who sees what was drawn can neither continue it
 * nor go back, and who sees the state cannot go back.
 *
 * The child of a fork has the parent's state. It draws anew: what is left belongs to an era, and the era's number lies in a
 * page that the kernel clears in every child, also in those of which no handler of fork knows. Any thread. */
#ifndef HAKMEM_GUARD_RANDOM_H
#define HAKMEM_GUARD_RANDOM_H

#include "hakmem/base/atomic.h"
#include "hakmem/guard/chacha.h"

/* 64 bits nobody outside can know. Where the kernel gives none: of those that it gave the process at its start, a count, the
 * clock, and addresses, mixed for each call. */
uint64_t hak_guard_random_seed(void);

/* Maps the era's page. Called once, before the first choice; where the page is not to be had, hak_guard_random_fork_child is all
 * that tells a child from its parent. */
void hak_guard_random_init(void);

/* In the child of a fork: it has no era yet. */
void hak_guard_random_fork_child(void);

#define GUARD_RANDOM_KEY_WORDS (CHACHA_KEY_WORDS / 2)

/* Of what four blocks give, more than half: bytes that are a thread's own are few (magazine_fast.h). */
#define GUARD_RANDOM_WORDS 16

struct guard_random {
    uint64_t key[GUARD_RANDOM_KEY_WORDS];
    uint64_t words[GUARD_RANDOM_WORDS]; /* what is left to draw, then zeros */
    uint64_t era;                       /* what it belongs to; 0: it was not begun */
    uint32_t left;                      /* words */
};

extern HAK_THREAD_LOCAL struct guard_random hak_guard_random_own;
extern uint64_t *hak_guard_random_era; /* constant after init; what it points to is atomic */

/* More to draw. */
HAK_COLD void hak_guard_random_refill(void);

/* The number of this process's era: another one than every other process's, and not 0. */
uint64_t hak_guard_random_this_era(void);

/* 64 bits, all of them good. */
HAK_ALWAYS_INLINE uint64_t guard_random_bits(void) {
    struct guard_random *own = &hak_guard_random_own;
    /* Relaxed: a thread finds another number than its own where it was copied by a fork, which orders all. */
    if (HAK_UNLIKELY(own->left == 0 || own->era != hak_load_relaxed(hak_guard_random_era))) {
        hak_guard_random_refill();
    }
    uint64_t *word = &own->words[--own->left];
    const uint64_t bits = *word;
    *word = 0;
    return bits;
}

/* 0 .. limit - 1. pre: limit >= 1 */
HAK_ALWAYS_INLINE uint32_t guard_random_below(uint32_t limit) {
    return (uint32_t)((guard_random_bits() >> 32) * limit >> 32);
}

#endif
