/* SPDX-License-Identifier: MIT */
/* A trace laid out for replay: for each thread a list of calls, in which every block has a slot for its pointer.
 *
 *   local slot    for a block that the thread which allocated it also frees. Only that thread uses the slot, so a later
 *                 block takes it over, and no thread waits.
 *   shared slot   for a block that another thread frees or reallocates. It is used once: the allocating thread
 * publishes
 *                 the pointer there, and the other thread waits for it.
 *
 * The waits cannot deadlock: an event waits only for one with a smaller number, and each thread's numbers ascend.
 *
 * Threads. The first thread starts all others. It starts a thread after its own last event that comes before that
 * thread's first event; before that, it joins the threads that have recorded their end and whose last event came
 * earlier. So at no time do more threads live than when the trace was recorded, and again no wait is for an event
 * with a larger number. Threads have the numbers of the trace; one without events is not started.
 *
 * Calls that failed and frees of blocks from before the recording are not replayed. A realloc to zero bytes that
 * returned a block is replayed with one byte, since half of all allocators free the block instead; one that freed
 * the block is replayed as a free.
 *
 * Memory: 16 bytes for each call, 8 for each slot. */
#ifndef BENCH_TRACE_SCHEDULE_H
#define BENCH_TRACE_SCHEDULE_H

#include "bench/trace/reader.h"

enum schedule_kind {
    CALL_MALLOC,
    CALL_CALLOC, /* other: the count, size: of an element */
    CALL_MEMALIGN,
    CALL_ALIGNED_ALLOC,
    CALL_POSIX_MEMALIGN,
    CALL_VALLOC,
    CALL_PVALLOC,
    CALL_REALLOC,      /* other: the old block's slot; followed by CALL_OLD */
    CALL_REALLOCARRAY, /* likewise */
    CALL_OLD,          /* not a call: size: of the block that the realloc before it took */
    CALL_FREE,         /* size: of the block */
    CALL_FREE_NULL,
    CALL_SPAWN, /* not the program's call: slot: the thread to start */
    CALL_JOIN,  /* likewise: the thread to wait for */
};

#define SCHEDULE_NO_SLOT UINT32_MAX /* of a realloc's old block: NULL */

struct schedule_call {
    uint64_t size : 48;
    uint64_t kind : 4; /* enum schedule_kind */
    uint64_t alignment_log2 : 6;
    uint64_t shared : 1;     /* `slot` is a shared one */
    uint64_t old_shared : 1; /* `other` is one */
    uint32_t slot;
    uint32_t other;
};
HAK_STATIC_ASSERT(sizeof(struct schedule_call) == 16, "two cache lines hold eight");
HAK_STATIC_ASSERT(TRACE_SIZE_MAX < UINT64_C(1) << 48 && TRACE_ALIGNMENT_LOG2_MAX < 64, "sizes and alignments fit");

/* One thread. */
struct schedule_lane {
    struct schedule_call *calls;
    size_t count, room;
    void **slots; /* the local ones */
    uint32_t slot_count;
    uint32_t *free_slots; /* while it is made: those of blocks that are gone */
    size_t free_count, free_room;
    bool ended; /* it said that it ends */
};

/* A block that nobody freed. */
struct schedule_left {
    uint64_t size;
    uint32_t lane, slot; /* a local one: what nobody frees, nobody waits for */
};

struct schedule {
    struct schedule_lane *lanes;
    size_t lane_count;
    uint32_t threads; /* lanes with an event */
    void **shared;    /* slots; atomic, release and acquire */
    uint32_t shared_count;
    struct schedule_left *left;
    size_t left_count, left_room;
    uint64_t operations; /* calls of the program that are replayed */
    uint64_t skipped;    /* events that are not: failed calls, frees of unknown blocks */
    uint64_t dropped;    /* events behind the first missing one of an incomplete trace */
    uint64_t peak_live_bytes;
    uint64_t checksum; /* of all calls and their order in each thread */
    uint32_t used;     /* bit set of enum schedule_kind: the calls that occur */
};

/* Checks all events and makes the calls of the first ones, at most `operations`. */
bool schedule_make(struct schedule *schedule, const struct trace *trace, uint64_t operations,
                   struct trace_defect *defect);

#endif
