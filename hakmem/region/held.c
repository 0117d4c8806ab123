/* SPDX-License-Identifier: MIT */
/* See held.h. */
#include "hakmem/region/held.h"

#include "hakmem/base/atomic.h"

static size_t held_now;  /* atomic */
static size_t held_most; /* atomic */

void hak_held_add(size_t bytes) {
    /* Relaxed, here and below: counts order nothing. Each addition's own result is what was held at that moment, so the
     * largest of them is exact. */
    const size_t held = hak_fetch_add_relaxed(&held_now, bytes) + bytes;
    size_t most = hak_load_relaxed(&held_most);
    while (held > most && !hak_compare_exchange_acq_rel(&held_most, &most, held)) {
    }
}

void hak_held_subtract(size_t bytes) { hak_fetch_add_relaxed(&held_now, (size_t)0 - bytes); }

size_t hak_held_bytes(void) { return hak_load_relaxed(&held_now); }

size_t hak_held_bytes_most(void) { return hak_load_relaxed(&held_most); }
