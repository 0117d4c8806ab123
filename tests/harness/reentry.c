/* SPDX-License-Identifier: MIT */
/* See reentry.h. */
#include "tests/harness/reentry.h"

#include <errno.h>
#include <stdbool.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/config.h"
#include "hakmem/hakmem.h"
#include "hakmem/process/purge.h"

/* ThreadSanitizer leaves no room for a flat shadow, so that with guard each call is a slow path there. */
#define REENTER_EACH (HAK_THREAD_SANITIZER ? 16 : 1)

static uint64_t reentries; /* atomic */

uint64_t reentry_count(void) { return hak_load_relaxed(&reentries); }

/* What it allocates polls as well. Threads without a record have no magazines that could change. */
static void reenter(void) {
    static HAK_THREAD_LOCAL bool is_inside;
    static HAK_THREAD_LOCAL unsigned polls;
    if (is_inside || polls++ % REENTER_EACH != 0) return;
    is_inside = true;
    const int saved_errno = errno;
    for (size_t size = 1; size <= HAK_L25_MAX;) {
        void *p = hak_alloc(size);
        const size_t usable = hak_usable_size(p);
        hak_free(p);
        /* With HAKMEM_GUARD=canary the usable size is the one that was asked for. */
        size = usable > size ? usable + 1 : size + size / 8 + 8;
    }
    errno = saved_errno;
    /* Relaxed: a count orders nothing. */
    hak_fetch_add_relaxed(&reentries, (uint64_t)1);
    is_inside = false;
}

__attribute__((constructor)) static void reenter_from_now_on(void) { hak_purge_reentry = reenter; }
