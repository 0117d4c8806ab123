/* SPDX-License-Identifier: MIT */
/* The counters of counts.h. */
#include "hakmem/ladder/counts.h"

/* Any odd constant with many bits set will do; ladder_begin_sampling mixes in the thread's number. */
HAK_THREAD_LOCAL uint64_t hak_ladder_random = 0x9e3779b97f4a7c15u;
uint64_t hak_ladder_counted[HAK_CLASS_COUNT];

/* Thread-local storage is scarce (magazine_fast.h), so it is there only where it is used. */
HAK_THREAD_LOCAL uint32_t hak_ladder_pending[HAK_COUNTS_EVERY != 0 ? HAK_CLASS_COUNT : 1];

void hak_ladder_add_pending(unsigned class_index) {
    /* Relaxed: a count orders nothing. */
    hak_fetch_add_relaxed(&hak_ladder_counted[class_index], (uint64_t)hak_ladder_pending[class_index]);
    hak_ladder_pending[class_index] = 0;
}
