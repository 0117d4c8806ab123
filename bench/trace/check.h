/* SPDX-License-Identifier: MIT */
/* Checks the events of a walk against each other: a freed block must be live, and every realloc must have its result.
 *
 * info.c and schedule.c pass every event in its order, and learn what it did to the live blocks. Memory: some bytes for
 * each block that is live at the same time, and for each thread. */
#ifndef BENCH_TRACE_CHECK_H
#define BENCH_TRACE_CHECK_H

#include "bench/trace/reader.h"

struct check_block {
    uint64_t number; /* of the event that made it; 0: no block */
    uint64_t size;   /* bytes asked for */
    uint64_t place;  /* the user's: where it keeps what it knows of the block */
    uint32_t thread; /* that made it */
    uint32_t slot;   /* the user's */
};

/* A realloc whose result comes next in the same thread. */
struct check_pending {
    bool begun, known; /* known: `old` was live, or NULL was reallocated */
    uint8_t kind;
    struct check_block old; /* number 0: NULL, or not known */
};

struct check {
    struct check_block *blocks; /* hash table by number, linear probing */
    size_t capacity, live;
    struct check_pending *pending; /* by thread */
    size_t lanes;
    uint64_t live_bytes;
};

/* What an event did. */
struct check_result {
    struct check_block taken; /* the block that is gone; number 0: none */
    struct check_block *made; /* NULL: none; valid until the next event */
    uint8_t made_by;          /* enum trace_kind of the call: TRACE_REALLOC for its result */
};

void check_start(struct check *check, const struct trace *trace);
bool check_event(struct check *check, const struct trace_event *event, struct check_result *result,
                 struct trace_defect *defect);

/* After the last event: blocks of reallocs without a result are live again. */
void check_finish(struct check *check);

/* Visits what is live, in no order. */
typedef void check_visit(void *user, const struct check_block *block);
void check_each(const struct check *check, check_visit *visit, void *user);
void check_free(struct check *check);

/* true for the kinds that make a block by themselves. */
bool check_is_allocation(uint8_t kind);

/* Bytes that such an event's block has. */
uint64_t check_bytes(const struct trace_event *event);

#endif
