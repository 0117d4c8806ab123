/* SPDX-License-Identifier: MIT */
/* See share.h. */
#include "hakmem/magazine/share.h"

#include "hakmem/region/held.h"

size_t hak_share_magazine = SIZE_MAX;
static uint32_t share_threads; /* atomic; written under the threads lock */

uint32_t hak_share_blocks(size_t block_size, uint32_t most) {
    const size_t blocks = share_magazine_bytes() / block_size;
    return blocks < most ? (uint32_t)blocks : most;
}

size_t hak_share_kept_bytes(void) {
    /* Relaxed: a hint. */
    const uint32_t threads = hak_load_relaxed(&share_threads);
    if (threads == 0 || threads > SHARE_FREE_THREADS) {
        return SHARE_KEPT_LEAST_BYTES;
    }
    const size_t part = hak_held_bytes() / 8 / threads;
    return part < SHARE_KEPT_LEAST_BYTES  ? SHARE_KEPT_LEAST_BYTES
           : part > SHARE_KEPT_MOST_BYTES ? SHARE_KEPT_MOST_BYTES
                                          : part;
}

void hak_share_divide(uint32_t threads) {
    size_t bytes = SIZE_MAX;
    if (threads > SHARE_FREE_THREADS) {
        const size_t share = SHARE_BUDGET_BYTES / threads;
        bytes = (share > SHARE_LEAST_BYTES ? share : SHARE_LEAST_BYTES) / SHARE_MAGAZINES;
    }
    /* Relaxed: see share_magazine_bytes. */
    hak_store_relaxed(&hak_share_magazine, bytes);
    hak_store_relaxed(&share_threads, threads);
}
