/* SPDX-License-Identifier: MIT */
/* Tiny blocks on several threads: each thread for itself, and with blocks handed to the next thread.
 *
 * `local` shows what the patterns cost when other threads do the same; `handover` adds WORKLOAD_BATCH blocks a
 * unit that the next thread frees. Every thread does the same work, whatever the others do; a thread that
 * waits for its neighbour frees what it was handed itself, so no ring of full rings can stand still. */
#include "bench/worker/workloads/tiny.h"

#include <sched.h>

#define LOCAL_UNIT (2 * WORKLOAD_BATCH)
#define HANDOVER_UNIT (3 * WORKLOAD_BATCH)

HAK_ALWAYS_INLINE void local_unit(struct workload_thread *thread, const enum workload_mode mode) {
    tiny_batch_fill(thread, mode);
    tiny_batch_free_lifo(thread, mode);
    tiny_replace(thread, WORKLOAD_BATCH, mode);
}

/* Frees all that the thread before has handed over so far. true where there was anything. */
HAK_ALWAYS_INLINE bool drain(struct workload_thread *thread, const enum workload_mode mode) {
    struct handover_ring *ring = thread->incoming;
    struct handover_batch arrived = handover_arrived(ring);
    for (uint64_t i = arrived.head; i < arrived.tail; i++) {
        uint64_t slot = i % HANDOVER_CAPACITY;
        block_bare_free(thread, ring->block[slot], &ring->expect[slot], mode);
    }
    handover_taken(ring, arrived.tail);
    thread->tally.freed += arrived.tail - arrived.head;
    return arrived.tail != arrived.head;
}

HAK_ALWAYS_INLINE void hand_over(struct workload_thread *thread, const enum workload_mode mode) {
    struct handover_ring *ring = thread->outgoing;
    unsigned i;
    for (i = 0; i < WORKLOAD_BATCH; i++) {
        int slot;
        while ((slot = handover_slot(ring)) < 0) {
            if (!drain(thread, mode)) {
                sched_yield();
            }
        }
        ring->block[slot] = block_bare(thread, tiny_cycled_size(i), &ring->expect[slot], mode);
        handover_push(ring);
    }
    thread->tally.allocated += i;
}

HAK_ALWAYS_INLINE void local(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    slots_clear(thread, WORKLOAD_SLOTS);
    for (uint64_t done = 0; done < operations; done += LOCAL_UNIT) {
        local_unit(thread, mode);
    }
    slots_free(thread, WORKLOAD_SLOTS, mode);
}

HAK_ALWAYS_INLINE void handover(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    slots_clear(thread, WORKLOAD_SLOTS);
    for (uint64_t done = 0; done < operations; done += HANDOVER_UNIT) {
        local_unit(thread, mode);
        hand_over(thread, mode);
        drain(thread, mode);
    }
    handover_close(thread->outgoing);
    for (;;) {
        bool last = handover_closed(thread->incoming);
        bool drained = drain(thread, mode);
        if (last) {
            break;
        }
        if (!drained) {
            sched_yield();
        }
    }
    slots_free(thread, WORKLOAD_SLOTS, mode);
}

static void handover_prepare(struct workload_thread *thread) { handover_open(thread->outgoing); }

WORKLOAD_LOOP(local, local)

const struct workload local_workload = {
    .name = "local",
    .description = "every thread runs batch_lifo and replacement for itself",
    .source =
        "threadtest (Berger and others, Hoard: A Scalable Memory Allocator for Multithreaded Applications, "
        "ASPLOS 2000)",
    WORKLOAD_THREADS,
    .unit = LOCAL_UNIT,
    .exact = true,
    .default_operations = 10000000,
    .quick_operations = 100000,
    .run = WORKLOAD_RUN(local),
};

WORKLOAD_LOOP(handover, handover)

const struct workload handover_workload = {
    .name = "handover",
    .description = "as local, and as many blocks again go to the next thread, which frees them",
    .source = "sh8bench (MicroQuill, SmartHeap): some of a thread's blocks are freed by another",
    WORKLOAD_THREADS,
    .unit = HANDOVER_UNIT,
    .exact = true,
    .default_operations = 5000100,
    .quick_operations = 60000,
    .prepare = handover_prepare,
    .run = WORKLOAD_RUN(handover),
};
