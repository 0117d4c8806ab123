/* SPDX-License-Identifier: MIT */
/* See idle.h. */
#include "hakmem/magazine/idle.h"

#include "hakmem/magazine/exchange_hold.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/os/os.h"
#include "hakmem/slab/moving.h"

/* Slabs that are taken in one hold of the threads lock, at most. */
#define IDLE_BATCH 64

struct idle_batch {
    unsigned count;
    bool is_pending;
    struct {
        struct slab *slab;
        unsigned class_index;
    } taken[IDLE_BATCH];
};

static bool idle_is_pending; /* atomic */

static void idle_take_class(struct hak_thread *thread, unsigned class_index, struct idle_batch *batch) {
    struct hak_thread_class *own = &thread->classes[class_index];
    uint8_t seen = EXCHANGE_HOLDER_NONE;
    /* Acquire: pairs with exchange_let_go; what the owner did to its slabs is seen. */
    if (!hak_compare_exchange_acq_rel(&own->holder, &seen, (uint8_t)EXCHANGE_HOLDER_OTHER)) {
        return; /* the owner is at it, so it is not idle */
    }
    for (unsigned i = 0; i < 2; i++) {
        if (own->active[i] != NULL) {
            batch->taken[batch->count].slab = own->active[i];
            batch->taken[batch->count++].class_index = class_index;
            /* From now on the owner frees into it like any other thread. Relaxed: the release below publishes it. */
            hak_store_relaxed(&own->active[i]->owner, SLAB_NOBODY);
            DISTURB();
            /* Relaxed: pairs with the hint of exchange_holds_any, which the owner loads while it does not hold the class. */
            hak_store_relaxed(&own->active[i], NULL);
        }
    }
    exchange_let_go(thread, class_index);
}

static void idle_look_locked(struct hak_thread *thread, const struct decay_pass *pass, uint64_t now,
                             struct idle_batch *batch) {
    /* Acquire: pairs with exchange_leave. */
    const uint32_t sequence = hak_load_acquire(&thread->sequence);
    if (sequence != thread->idle_sequence) {
        thread->idle_sequence = sequence;
        thread->idle_since_ms = now;
        thread->idle_class = 1;
    }
    const bool is_idle = pass->freed_until_ms == DECAY_EVERYTHING ||
                         (pass->freed_until_ms != DECAY_ALL_NEW && thread->idle_since_ms <= pass->freed_until_ms);
    for (; is_idle && thread->idle_class < HAK_CLASS_COUNT && batch->count + 2 <= IDLE_BATCH; thread->idle_class++) {
        idle_take_class(thread, thread->idle_class, batch);
    }
    batch->is_pending |= thread->idle_class < HAK_CLASS_COUNT;
}

void hak_idle_take_slabs(const struct decay_pass *pass) {
    const uint64_t now = hak_os_clock_ms();
    struct idle_batch batch;
    do {
        batch.count = 0;
        batch.is_pending = false;
        struct hak_thread *newest = hak_thread_list_acquire();
        for (struct hak_thread *thread = newest; thread != NULL; thread = thread->older) {
            if (thread != hak_self && thread->link == NULL) {
                idle_look_locked(thread, pass, now, &batch);
            }
        }
        hak_thread_list_release();
        DISTURB();
        if (batch.count > 0) {
            hak_moving_begin();
        }
        for (unsigned i = 0; i < batch.count; i++) {
            hak_slab_detach(batch.taken[i].slab, batch.taken[i].class_index);
        }
        if (batch.count > 0) {
            hak_moving_end();
        }
    } while (batch.count + 2 > IDLE_BATCH);
    /* Relaxed: a hint. */
    hak_store_relaxed(&idle_is_pending, batch.is_pending);
}

bool hak_idle_is_pending(void) { return hak_load_relaxed(&idle_is_pending); }
