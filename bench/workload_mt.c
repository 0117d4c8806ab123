/* Tiny blocks on several threads: each thread for itself, and with blocks handed to the next thread.
 *
 * `local` shows what the patterns cost when other threads do the same; `handover` adds TINY_BATCH blocks a
 * unit that the next thread frees. Every thread does the same work, whatever the others do; a thread that
 * waits for its neighbour frees what it was handed itself, so no ring of full rings can stand still. */
#include "bench/workload_patterns.h"

#include <sched.h>

HAK_ALWAYS_INLINE void local_unit(struct workload_thread *thread, const bool verify) {
    pattern_batch(thread, verify);
    pattern_replace(thread, TINY_BATCH, verify);
}

/* Frees all that the thread before has handed over so far. true where there was anything. */
HAK_ALWAYS_INLINE bool drain(struct handover_ring *ring, const bool verify) {
    uint64_t head = hak_load_relaxed(&ring->head); /* relaxed: the consumer's own variable */
    /* acquire: the slots below tail were written before the producer moved tail */
    uint64_t tail = hak_load_acquire(&ring->tail);
    for (uint64_t i = head; i < tail; i++) {
        pattern_free(ring->block[i % HANDOVER_CAPACITY], &ring->expect[i % HANDOVER_CAPACITY], verify);
    }
    /* release: the slots are read before the producer may write them again */
    hak_store_release(&ring->head, tail);
    return tail != head;
}

HAK_ALWAYS_INLINE void hand_over(struct workload_thread *thread, const bool verify) {
    struct handover_ring *ring = thread->outgoing;
    for (unsigned i = 0; i < TINY_BATCH; i++) {
        int slot;
        while ((slot = handover_slot(ring)) < 0) {
            if (!drain(thread->incoming, verify)) {
                sched_yield();
            }
        }
        ring->block[slot] = pattern_alloc(thread, pattern_cycled_size(i), &ring->expect[slot], verify);
        handover_push(ring);
    }
}

HAK_ALWAYS_INLINE void local(struct workload_thread *thread, uint64_t operations, const bool verify) {
    pattern_slots_clear(thread, TINY_SLOTS);
    for (uint64_t done = 0; done < operations; done += MT_LOCAL_UNIT) {
        local_unit(thread, verify);
    }
    pattern_slots_free(thread, TINY_SLOTS, verify);
}

HAK_ALWAYS_INLINE void handover(struct workload_thread *thread, uint64_t operations, const bool verify) {
    pattern_slots_clear(thread, TINY_SLOTS);
    for (uint64_t done = 0; done < operations; done += MT_HANDOVER_UNIT) {
        local_unit(thread, verify);
        hand_over(thread, verify);
        drain(thread->incoming, verify);
    }
    /* release: all pushes come before it, so who sees it also sees the last tail */
    hak_store_release(&thread->outgoing->done, true);
    for (;;) {
        /* acquire: the tail read by the drain that follows is then the last one */
        bool last = hak_load_acquire(&thread->incoming->done);
        bool drained = drain(thread->incoming, verify);
        if (last) {
            break;
        }
        if (!drained) {
            sched_yield();
        }
    }
    pattern_slots_free(thread, TINY_SLOTS, verify);
}

void mt_handover_prepare(struct workload_thread *thread) {
    /* relaxed: the barrier before the run orders it */
    hak_store_relaxed(&thread->outgoing->done, false);
}

void mt_local_run(struct workload_thread *thread, uint64_t operations) { local(thread, operations, false); }
void mt_local_run_verified(struct workload_thread *thread, uint64_t operations) { local(thread, operations, true); }

void mt_handover_run(struct workload_thread *thread, uint64_t operations) { handover(thread, operations, false); }
void mt_handover_run_verified(struct workload_thread *thread, uint64_t operations) {
    handover(thread, operations, true);
}
