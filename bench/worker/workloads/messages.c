/* SPDX-License-Identifier: MIT */
/* Blocks that pass between threads as messages: from those who only allocate to those who only free, and around in a
 * ring. A message's words are written by the sender and read by the receiver; handover.h orders the two.
 *
 * Run by runner.c on every thread. A thread that has nothing to do gives the processor away. */
#include "bench/worker/workloads/handed.h"

#include <sched.h>

#define PRODUCED_SIZE_MIN 16
#define PRODUCED_SIZE_MAX 496
#define MESSAGE_SIZE_MIN 64
#define MESSAGE_SIZE_MAX 1024

/* Messages that a thread of the ring has sent more than it received. The ring cannot stand still: a sender that waits
 * has a next thread that can receive, so if anybody waits to send, all do, and all rings are full, which takes more
 * messages than the windows allow; and if all wait to receive, all rings are empty, though each has sent more than it
 * received. */
#define MESSAGE_WINDOW 64
HAK_STATIC_ASSERT(MESSAGE_WINDOW < HANDOVER_CAPACITY, "not all rings can be full");

/* Allocates a block of random size and hands it over; waits while the ring is full. */
HAK_ALWAYS_INLINE void send_block(struct workload_thread *thread, uint32_t size_min, uint32_t size_max,
                                  const enum workload_mode mode) {
    struct handover_ring *ring = thread->outgoing;
    uint64_t random = workload_random(thread);
    size_t size = size_min + workload_below((uint32_t)random, size_max - size_min + 1);
    int slot;
    while ((slot = handover_slot(ring)) < 0) {
        sched_yield();
    }
    ring->block[slot] = block_tagged(thread, size, (uint32_t)(random >> 32), &ring->expect[slot], mode);
    handover_push(ring);
}

/* The first half of the threads, rounded up, allocates; the others free. Each producer has a share of all
 * operations. */
static unsigned producers(const struct workload_thread *thread) { return (thread->threads + 1) / 2; }

HAK_ALWAYS_INLINE void produce(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    uint64_t total = operations * thread->threads, count = producers(thread);
    uint64_t share = total / count + (thread->index < total % count);
    for (uint64_t i = 0; i < share; i++) {
        send_block(thread, PRODUCED_SIZE_MIN, PRODUCED_SIZE_MAX, mode);
    }
    handover_close(thread->outgoing);
}

/* Frees what those producers send whose number has this consumer's remainder. */
HAK_ALWAYS_INLINE void consume(struct workload_thread *thread, const enum workload_mode mode) {
    const unsigned count = producers(thread), consumers = thread->threads - count;
    bool all_closed;
    do {
        uint64_t received = 0;
        all_closed = true;
        for (unsigned i = thread->index - count; i < count; i += consumers) {
            all_closed &= handover_closed(&thread->rings[i]);
            received += receive_blocks(thread, &thread->rings[i], HANDOVER_CAPACITY, mode);
        }
        if (received == 0 && !all_closed) {
            sched_yield();
        }
    } while (!all_closed);
}

HAK_ALWAYS_INLINE void producer_consumer(struct workload_thread *thread, uint64_t operations,
                                         const enum workload_mode mode) {
    if (thread->index < producers(thread)) {
        produce(thread, operations, mode);
    } else {
        consume(thread, mode);
    }
}

/* Frees one message from the thread before, when it has come. */
HAK_ALWAYS_INLINE void receive_message(struct workload_thread *thread, const enum workload_mode mode) {
    while (receive_blocks(thread, thread->incoming, 1, mode) == 0) {
        sched_yield();
    }
}

HAK_ALWAYS_INLINE void message_ring(struct workload_thread *thread, uint64_t operations,
                                    const enum workload_mode mode) {
    for (uint64_t i = 0; i < operations; i++) {
        if (i >= MESSAGE_WINDOW) {
            receive_message(thread, mode);
        }
        send_block(thread, MESSAGE_SIZE_MIN, MESSAGE_SIZE_MAX, mode);
    }
    for (uint64_t i = operations < MESSAGE_WINDOW ? operations : MESSAGE_WINDOW; i > 0; i--) {
        receive_message(thread, mode);
    }
}

static void producer_consumer_prepare(struct workload_thread *thread) { handover_open(thread->outgoing); }

WORKLOAD_LOOP(producer_consumer, producer_consumer)

const struct workload producer_consumer_workload = {
    .name = "producer_consumer",
    .description = "16 to 496 bytes; one half of the threads only allocates, the other half only frees",
    .source =
        "xmalloc-test (Lever and Boreham, 2000; Christian Eder): threads that only allocate and threads that "
        "only free",
    .group = "threads",
    .threads_min = 2,
    .threads_max = WORKLOAD_THREADS_MAX,
    .unit = 1,
    .exact = false,
    .default_operations = 1500000,
    .quick_operations = 15000,
    .prepare = producer_consumer_prepare,
    .run = WORKLOAD_RUN(producer_consumer),
};

WORKLOAD_LOOP(message_ring, message_ring)

const struct workload message_ring_workload = {
    .name = "message_ring",
    .description = "64 to 1,024 bytes; each thread frees a message from the thread before and sends one to the next",
    .source =
        "the message passing that snmalloc is made for (Liétar and others, snmalloc: A Message Passing "
        "Allocator, ISMM 2019)",
    WORKLOAD_THREADS,
    .unit = 1,
    .exact = true,
    .default_operations = 1500000,
    .quick_operations = 15000,
    .run = WORKLOAD_RUN(message_ring),
};
