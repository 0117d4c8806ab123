/* SPDX-License-Identifier: MIT */
/* See disturb.h. All atomic accesses are relaxed, so that ThreadSanitizer sees no order that the code itself does not have, and the
 * system calls are made directly, since a program may have functions of these names. */
#include "hakmem/base/disturb.h"

#if HAK_DISTURB

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "hakmem/base/compiler.h"
#include "hakmem/base/random.h"

/* Of so many points, so many give the processor away, and so many wait. A point comes some ten times an exchange, and on a busy machine
 * whoever gives the processor away waits for milliseconds. */
#define DISTURB_POINTS 1024
#define DISTURB_YIELDS 8
#define DISTURB_WAITS 8
#define DISTURB_WAIT_NS 30000

#define DISTURB_UNKNOWN UINT64_MAX

extern char **environ;

static uint64_t disturb_seed = DISTURB_UNKNOWN; /* atomic */
static uint64_t disturb_threads;                /* atomic; that came to a point */
static HAK_THREAD_LOCAL uint64_t disturb_own;   /* owner only; 0: the thread came to none yet */

static uint64_t disturb_read_seed(void) {
    uint64_t seed = __atomic_load_n(&disturb_seed, __ATOMIC_RELAXED);
    if (seed == DISTURB_UNKNOWN) {
        if (environ == NULL) {
            return 0; /* before the C library's constructor there is one thread */
        }
        const char *text = getenv("HAK_DISTURB_SEED");
        seed = text != NULL ? strtoull(text, NULL, 10) : 0;
        __atomic_store_n(&disturb_seed, seed, __ATOMIC_RELAXED);
    }
    return seed;
}

void hak_disturb(void) {
    const int saved_errno = errno;
    const uint64_t seed = disturb_read_seed();
    if (seed != 0) {
        if (disturb_own == 0) {
            const uint64_t number = __atomic_add_fetch(&disturb_threads, 1, __ATOMIC_RELAXED);
            disturb_own = random_mix(random_mix(seed) + number) | 1;
        }
        const uint64_t chosen = random_xorshift64(&disturb_own) % DISTURB_POINTS;
        if (chosen < DISTURB_WAITS) {
            const struct timespec wait = {0, DISTURB_WAIT_NS};
            (void)syscall(SYS_nanosleep, &wait, NULL);
        } else if (chosen < DISTURB_WAITS + DISTURB_YIELDS) {
            (void)syscall(SYS_sched_yield);
        }
    }
    errno = saved_errno;
}

#endif
