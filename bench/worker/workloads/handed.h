/* SPDX-License-Identifier: MIT */
/* Blocks that have come through a ring (handover.h): every workload in which another thread frees. */
#ifndef BENCH_WORKER_WORKLOADS_HANDED_H
#define BENCH_WORKER_WORKLOADS_HANDED_H

#include "bench/worker/workloads/block.h"

/* Frees up to `most` of the blocks that have arrived in the ring. Returns how many. */
HAK_ALWAYS_INLINE uint64_t receive_blocks(struct workload_thread *thread, struct handover_ring *ring, uint64_t most,
                                          const enum workload_mode mode) {
    struct handover_batch arrived = handover_arrived(ring);
    uint64_t end = arrived.tail - arrived.head > most ? arrived.head + most : arrived.tail;
    for (uint64_t i = arrived.head; i < end; i++) {
        uint64_t slot = i % HANDOVER_CAPACITY;
        block_tagged_free(thread, ring->block[slot], &ring->expect[slot], mode);
    }
    handover_taken(ring, end);
    return end - arrived.head;
}

#endif
