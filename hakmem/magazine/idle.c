/* SPDX-License-Identifier: MIT */
/* See idle.h. */
#include "hakmem/magazine/idle.h"

#include "hakmem/magazine/exchange_hold.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/os/os.h"
#include "hakmem/slab/moving.h"

/* Slabs that one call takes at most, so that a fork, which waits for the purge lock, waits for no more. */
#define IDLE_BATCH 64

struct idle_batch {
    unsigned count;
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

/* A record without a thread has no slabs. */
static bool idle_is_anothers(const struct hak_thread *thread) { return thread != hak_self && thread->link == NULL; }

static bool idle_is_long_enough(const struct hak_thread *thread, const struct decay_pass *pass) {
    return pass->freed_until_ms == DECAY_EVERYTHING ||
           (pass->freed_until_ms != DECAY_ALL_NEW && thread->idle_since_ms <= pass->freed_until_ms);
}

/* The pass comes to a record. With NULL it is behind the last one. */
static void idle_come_locked(struct decay_pass *pass, struct hak_thread *thread, uint64_t now) {
    pass->idle = thread;
    pass->idle_class = HAK_CLASS_COUNT; /* nothing is to be taken */
    if (thread == NULL || !idle_is_anothers(thread)) {
        return;
    }
    /* Acquire: pairs with exchange_leave. */
    const uint32_t sequence = hak_load_acquire(&thread->sequence);
    if (sequence != thread->idle_sequence) {
        thread->idle_sequence = sequence;
        thread->idle_since_ms = now;
        thread->idle_is_taken = false;
    }
    if (!thread->idle_is_taken && idle_is_long_enough(thread, pass)) {
        pass->idle_class = 1;
        pass->idle_sequence = sequence;
    } else {
        pass->idle_is_pending |= !thread->idle_is_taken;
    }
}

/* Takes slabs of the record that the pass has come to, as many as the batch has room for. true: all */
static bool idle_take_locked(struct decay_pass *pass, struct idle_batch *batch) {
    struct hak_thread *thread = pass->idle;
    if (pass->idle_class == HAK_CLASS_COUNT || !idle_is_anothers(thread)) {
        return true;
    }
    for (; pass->idle_class < HAK_CLASS_COUNT; pass->idle_class++) {
        if (batch->count + 2 > IDLE_BATCH) {
            return false;
        }
        idle_take_class(thread, pass->idle_class, batch);
    }
    /* Not where another pass has seen meanwhile that the thread works: it may have slabs again. */
    thread->idle_is_taken |= thread->idle_sequence == pass->idle_sequence;
    return true;
}

static void idle_detach(const struct idle_batch *batch) {
    if (batch->count == 0) {
        return;
    }
    hak_moving_begin();
    for (unsigned i = 0; i < batch->count; i++) {
        hak_slab_detach(batch->taken[i].slab, batch->taken[i].class_index);
    }
    hak_moving_end();
}

bool hak_idle_take_slabs(struct decay_pass *pass) {
    const uint64_t now = hak_os_clock_ms();
    struct idle_batch batch;
    batch.count = 0;
    struct hak_thread *newest = hak_thread_list_acquire();
    if (!pass->has_begun_idle) {
        pass->has_begun_idle = true;
        idle_come_locked(pass, newest, now);
    }
    while (pass->idle != NULL && idle_take_locked(pass, &batch)) {
        idle_come_locked(pass, pass->idle->older, now);
    }
    hak_thread_list_release();
    DISTURB();
    idle_detach(&batch);
    if (pass->idle == NULL) {
        /* Relaxed: a hint. */
        hak_store_relaxed(&idle_is_pending, pass->idle_is_pending);
    }
    return batch.count == 0;
}

/* Relaxed, both: a hint. */
bool hak_idle_is_pending(void) { return hak_load_relaxed(&idle_is_pending); }

void hak_idle_note_skipped(void) { hak_store_relaxed(&idle_is_pending, true); }
