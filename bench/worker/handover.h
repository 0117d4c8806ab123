/* SPDX-License-Identifier: MIT */
/* A bounded ring that hands live blocks from one thread to another, which frees them.
 *
 *        producer: push                     consumer: pop
 *   tail ->  [ ][ ][p][p][p][p][ ][ ]  <- head         count = tail - head <= HANDOVER_CAPACITY
 *
 * One producer, one consumer, no lock: the producer alone writes tail, the consumer alone writes head.
 * The ring writes nothing into a block: only the workload and the allocator move cache lines between the threads. */
#ifndef BENCH_WORKER_HANDOVER_H
#define BENCH_WORKER_HANDOVER_H

#include "bench/worker/verify.h"
#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"

/* A power of two, above the hundred blocks that a thread hands over at a time. */
#define HANDOVER_CAPACITY 256

struct handover_ring {
    HAK_CACHE_ALIGNED uint64_t head; /* atomic: written by the consumer; blocks taken out */
    HAK_CACHE_ALIGNED uint64_t tail; /* atomic: written by the producer; blocks put in */
    uint64_t head_seen;              /* producer only: a lower bound of head */
    bool done;                       /* atomic: written by the producer; nothing more comes in this run */
    HAK_CACHE_ALIGNED void *block[HANDOVER_CAPACITY];
    struct verify_expect expect[HANDOVER_CAPACITY]; /* --verify and --memory only */
};

/* Where the producer writes the next block; -1 where the ring is full. */
HAK_ALWAYS_INLINE int handover_slot(struct handover_ring *ring) {
    uint64_t tail = hak_load_relaxed(&ring->tail); /* relaxed: the producer's own variable */
    if (tail - ring->head_seen == HANDOVER_CAPACITY) {
        /* acquire: the consumer has read the slots below head before it moved head */
        ring->head_seen = hak_load_acquire(&ring->head);
        if (tail - ring->head_seen == HANDOVER_CAPACITY) {
            return -1;
        }
    }
    return (int)(tail % HANDOVER_CAPACITY);
}

/* Hands over what the producer wrote to handover_slot. */
HAK_ALWAYS_INLINE void handover_push(struct handover_ring *ring) {
    /* relaxed: the producer's own variable; release: the slot, and what the producer wrote into the block, are
     * written before the consumer sees it */
    hak_store_release(&ring->tail, hak_load_relaxed(&ring->tail) + 1);
}

/* The consumer's view: blocks head .. tail - 1 are its own from now on. */
struct handover_batch {
    uint64_t head, tail;
};

HAK_ALWAYS_INLINE struct handover_batch handover_arrived(struct handover_ring *ring) {
    return (struct handover_batch){
        .head = hak_load_relaxed(&ring->head), /* relaxed: the consumer's own variable */
        /* acquire: the slots below tail, and the blocks, were written before the producer moved tail */
        .tail = hak_load_acquire(&ring->tail),
    };
}

/* The slots below `head` may be written again. */
HAK_ALWAYS_INLINE void handover_taken(struct handover_ring *ring, uint64_t head) {
    /* release: the slots are read before the producer sees that it may write them */
    hak_store_release(&ring->head, head);
}

/* Nothing more comes from the producer in this run. */
HAK_ALWAYS_INLINE void handover_close(struct handover_ring *ring) {
    /* release: all pushes come before it, so who sees it also sees the last tail */
    hak_store_release(&ring->done, true);
}

/* pre: called by the consumer before handover_arrived, whose tail is then the last one. */
HAK_ALWAYS_INLINE bool handover_closed(const struct handover_ring *ring) {
    return hak_load_acquire(&ring->done); /* acquire: pairs with the release above */
}

/* For the next run. pre: called by the producer before the barrier that the run starts with, after the one that the
 * last run ended with: no consumer looks at it between them. */
HAK_ALWAYS_INLINE void handover_open(struct handover_ring *ring) {
    hak_store_relaxed(&ring->done, false); /* relaxed: the barrier orders it */
}

#endif
