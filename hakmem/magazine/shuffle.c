/* SPDX-License-Identifier: MIT */
/* See shuffle.h. The top block stays: the fork may have been made in a signal handler that interrupted malloc between
 * reading the top block and taking it. A slot that holds NULL stays, too: its block is parked (sampling.h). */
#include "hakmem/magazine/shuffle.h"

#include "hakmem/guard/guard.h"
#include "hakmem/guard/random.h"
#include "hakmem/magazine/exchange_levels.h"

static void shuffle_slots(void **base, uint32_t count) {
    for (uint32_t i = count; i > 1; i--) {
        void **last = &base[i - 1], **other = &base[guard_random_below(i)];
        void *const p = *last, *const q = *other;
        if (p != NULL && q != NULL) {
            /* Relaxed: hak_walk may read the slots; only this thread writes them. */
            hak_store_relaxed(last, q);
            hak_store_relaxed(other, p);
        }
    }
}

void hak_shuffle_own(void) {
    struct hak_thread *thread = hak_self;
    /* Relaxed: only this thread writes it. Odd: the fork interrupted an exchange, which goes on in the child. */
    if (thread == NULL || !guard_has(HAK_FEATURE_RANDOM) || hak_load_relaxed(&thread->sequence) % 2 != 0) {
        return;
    }
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        const uint32_t level = exchange_loaded_level(thread, class_index);
        if (level > 2) {
            shuffle_slots(hak_load_relaxed(&thread->loaded[class_index]) - level, level - 1);
        }
    }
}
