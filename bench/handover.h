/* A bounded ring that hands live blocks from one thread to the next, which frees them.
 *
 *        producer: push                     consumer: drain
 *   tail ->  [ ][ ][p][p][p][p][ ][ ]  <- head         count = tail - head <= HANDOVER_CAPACITY
 *
 * One producer, one consumer, no lock: the producer alone writes tail, the consumer alone writes head.
 * Nothing is written into a block, so that what crosses between the threads is the allocator's own doing. */
#ifndef BENCH_HANDOVER_H
#define BENCH_HANDOVER_H

#include "bench/verify.h"
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
    struct verify_expect expect[HANDOVER_CAPACITY]; /* --verify only */
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
    /* relaxed: the producer's own variable; release: the slot is written before the consumer sees it */
    hak_store_release(&ring->tail, hak_load_relaxed(&ring->tail) + 1);
}

#endif
