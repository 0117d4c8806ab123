/* SPDX-License-Identifier: MIT */
/* See share.h. */
#include "hakmem/magazine/share.h"

size_t hak_share_magazine = SIZE_MAX;

uint32_t hak_share_blocks(size_t block_size, uint32_t most) {
    const size_t blocks = share_magazine_bytes() / block_size;
    return blocks < most ? (uint32_t)blocks : most;
}

void hak_share_divide(uint32_t threads) {
    size_t bytes = SIZE_MAX;
    if (threads > SHARE_FREE_THREADS) {
        const size_t share = SHARE_BUDGET_BYTES / threads;
        bytes = (share > SHARE_LEAST_BYTES ? share : SHARE_LEAST_BYTES) / SHARE_MAGAZINES;
    }
    /* Relaxed: see share_magazine_bytes. */
    hak_store_relaxed(&hak_share_magazine, bytes);
}
