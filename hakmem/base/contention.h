/* SPDX-License-Identifier: MIT */
/* Counts of what threads do to each other: atomic read-modify-writes and lock acquisitions, by the place in the sources
 * and by the lock. For //bench:contention, in builds with --//hakmem/flags:contention; in all others the macros below
 * are nothing, and no code of these counts exists.
 *
 *   step       one atomic read-modify-write of a word that other threads may write
 *   moved      the last thread that did so to the same cache line was another one, so the line came from its cache
 *   waited     an acquisition that found the lock taken
 *   held       time from acquisitions to releases, in ticks of contention_clock
 *
 * Each thread adds to counts that at most every 64th other thread shares, so that counting itself moves few lines.
 * `moved` is a lower bound: where there are fewer processors than threads, a thread does many steps before another one
 * runs. No function here allocates. */
#ifndef HAKMEM_BASE_CONTENTION_H
#define HAKMEM_BASE_CONTENTION_H

#include "hakmem/base/compiler.h"

/* The build setting defines it; what is built without Bazel does not count either. */
#ifndef HAK_CONTENTION
#define HAK_CONTENTION 0
#endif

#if HAK_CONTENTION

#ifdef __cplusplus
extern "C" {
#endif

/* A place in the sources that makes steps. All lie in one section, so their number tells them apart. */
struct contention_site {
    const char *file, *function;
} __attribute__((aligned(16)));

/* More would end the process. */
#define CONTENTION_SITES_MAX 256
#define CONTENTION_LOCKS_MAX 256

struct contention_steps {
    uint64_t steps, moved;
};

struct contention_holds {
    uint64_t acquired, waited, moved, held;
};

/* `contention_step` stands before the step itself, with the address of the word. */
#define contention_step(p)                                                             \
    (__extension__({                                                                   \
        static const struct contention_site contention_here                            \
            __attribute__((section("contention_sites"), used)) = {__FILE__, __func__}; \
        hak_contention_step(&contention_here, (uintptr_t)(p));                         \
    }))
#define contention_acquired(lock, rank) hak_contention_acquired((lock), (unsigned)(rank))
#define contention_waited(lock, rank) hak_contention_waited((lock), (unsigned)(rank))
#define contention_released(lock, rank) hak_contention_released((lock), (unsigned)(rank))

void hak_contention_step(const struct contention_site *site, uintptr_t address);
void hak_contention_acquired(const void *lock, unsigned rank);
void hak_contention_waited(const void *lock, unsigned rank);
void hak_contention_released(const void *lock, unsigned rank);

/* Thread-safe. */
uint64_t contention_clock(void);

/* Sums over all threads since the process began; exact where no other thread runs. Each returns false where `number` is
 * not below the number of sites, or of the locks that were acquired. *line is the only cache line that the site's steps
 * went to, 0 where there were several or none. */
bool hak_contention_site(unsigned number, struct contention_site *site, uintptr_t *line,
                         struct contention_steps *steps);
bool hak_contention_lock(unsigned number, unsigned *rank, struct contention_holds *holds);

#ifdef __cplusplus
}
#endif

#else

#define contention_step(p) ((void)0)
#define contention_acquired(lock, rank) ((void)0)
#define contention_waited(lock, rank) ((void)0)
#define contention_released(lock, rank) ((void)0)

#endif

#endif
