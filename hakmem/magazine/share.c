/* SPDX-License-Identifier: MIT */
/* See share.h. */
#include "hakmem/magazine/share.h"

size_t hak_share_magazine = SIZE_MAX;

void hak_share_divide(uint32_t threads) {
    size_t bytes = SIZE_MAX;
    if (threads > SHARE_FREE_THREADS) {
        const size_t share = SHARE_BUDGET_BYTES / threads;
        bytes = (share > SHARE_LEAST_BYTES ? share : SHARE_LEAST_BYTES) / SHARE_MAGAZINES;
    }
    /* Relaxed: see share_magazine_bytes. */
    hak_store_relaxed(&hak_share_magazine, bytes);
}
