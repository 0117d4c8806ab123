/* SPDX-License-Identifier: MIT */
/* Live blocks by the number of the event that made them, and the reallocs under way. */
#include "bench/trace/check.h"

#include "bench/trace/storage.h"

#include <inttypes.h>

#define CAPACITY_FIRST 1024

bool check_is_allocation(uint8_t kind) { return kind >= TRACE_MALLOC && kind <= TRACE_PVALLOC; }

uint64_t check_bytes(const struct trace_event *event) {
    return event->kind == TRACE_CALLOC ? event->count * event->size : event->size;
}

/* Fibonacci hashing: numbers are dense, so any multiplication by an odd number spreads them. */
static size_t home(const struct check *check, uint64_t number) {
    return (size_t)((number * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (check->capacity - 1);
}

static struct check_block *find(const struct check *check, uint64_t number) {
    size_t i = home(check, number);
    while (check->blocks[i].number != 0 && check->blocks[i].number != number) {
        i = (i + 1) & (check->capacity - 1);
    }
    return &check->blocks[i];
}

static void grow(struct check *check) {
    struct check larger = {.capacity = check->capacity == 0 ? CAPACITY_FIRST : 2 * check->capacity};
    larger.blocks = storage_new(larger.capacity * sizeof larger.blocks[0], "the live blocks");
    for (size_t i = 0; i < check->capacity; i++) {
        if (check->blocks[i].number != 0) {
            *find(&larger, check->blocks[i].number) = check->blocks[i];
        }
    }
    storage_free(check->blocks, check->capacity * sizeof check->blocks[0]);
    check->blocks = larger.blocks;
    check->capacity = larger.capacity;
}

static struct check_block *add(struct check *check, const struct check_block *block) {
    if (check->live >= check->capacity / 4 * 3) {
        grow(check);
    }
    struct check_block *entry = find(check, block->number);
    *entry = *block;
    check->live++;
    check->live_bytes += block->size;
    return entry;
}

/* false where there is no such block. What lies behind it up to the next free entry moves up unless it would pass its
 * home. */
static bool take(struct check *check, uint64_t number, struct check_block *block) {
    if (check->capacity == 0) {
        return false;
    }
    struct check_block *entry = find(check, number);
    if (entry->number == 0) {
        return false;
    }
    *block = *entry;
    size_t mask = check->capacity - 1, hole = (size_t)(entry - check->blocks);
    for (size_t next = (hole + 1) & mask; check->blocks[next].number != 0; next = (next + 1) & mask) {
        size_t distance = (next - home(check, check->blocks[next].number)) & mask;
        if (distance >= ((next - hole) & mask)) {
            check->blocks[hole] = check->blocks[next];
            hole = next;
        }
    }
    check->blocks[hole].number = 0;
    check->live--;
    check->live_bytes -= block->size;
    return true;
}

void check_start(struct check *check, const struct trace *trace) {
    *check = (struct check){.lanes = trace->lane_count};
    check->pending = storage_new(check->lanes * sizeof check->pending[0], "the threads");
}

static void make(struct check *check, const struct trace_event *event, uint64_t size, uint8_t by,
                 struct check_result *result) {
    struct check_block block = {.number = event->number, .size = size, .thread = event->thread};
    result->made = add(check, &block);
    result->made_by = by;
}

static bool free_block(struct check *check, const struct trace_event *event, struct check_block *taken,
                       struct trace_defect *defect) {
    return take(check, event->block, taken) ||
           trace_defect_set(defect, event->offset,
                            "impossible record: event %" PRIu64 " takes block %" PRIu64
                            ", which was never made or is gone already",
                            event->number, event->block);
}

static bool begin_realloc(struct check *check, const struct trace_event *event, struct trace_defect *defect) {
    struct check_pending *pending = &check->pending[event->thread];
    *pending = (struct check_pending){
        .begun = true,
        .known = event->kind != TRACE_REALLOC_UNKNOWN,
        .kind = event->kind,
    };
    return event->block == 0 || free_block(check, event, &pending->old, defect);
}

static void end_realloc(struct check *check, const struct trace_event *event, struct check_result *result) {
    struct check_pending *pending = &check->pending[event->thread];
    pending->begun = false;
    if (event->kind == TRACE_RESULT_FAILED) {
        if (pending->old.number != 0) {
            add(check, &pending->old);
        }
        return;
    }
    result->taken = pending->old;
    if (event->kind == TRACE_RESULT_BLOCK) {
        make(check, event, event->size, pending->kind, result);
    }
}

bool check_event(struct check *check, const struct trace_event *event, struct check_result *result,
                 struct trace_defect *defect) {
    *result = (struct check_result){.made = NULL};
    bool is_result = event->kind >= TRACE_RESULT_BLOCK && event->kind <= TRACE_RESULT_FREED;
    if (check->pending[event->thread].begun != is_result) {
        return trace_defect_set(defect, event->offset, "impossible record: %s",
                                is_result ? "a result without a realloc before it"
                                          : "a realloc without its result before the thread's next event");
    }
    switch (event->kind) {
    case TRACE_FREE:
    case TRACE_FREE_UNSEEN: return free_block(check, event, &result->taken, defect);
    case TRACE_REALLOC:
    case TRACE_REALLOCARRAY:
    case TRACE_REALLOC_UNKNOWN: return begin_realloc(check, event, defect);
    case TRACE_RESULT_BLOCK:
    case TRACE_RESULT_FAILED:
    case TRACE_RESULT_FREED: end_realloc(check, event, result); return true;
    default:
        if (check_is_allocation(event->kind)) {
            make(check, event, check_bytes(event), event->kind, result);
        }
        return true;
    }
}

void check_finish(struct check *check) {
    for (size_t i = 0; i < check->lanes; i++) {
        if (check->pending[i].begun && check->pending[i].old.number != 0) {
            add(check, &check->pending[i].old);
        }
        check->pending[i].begun = false;
    }
}

void check_each(const struct check *check, check_visit *visit, void *user) {
    for (size_t i = 0; i < check->capacity; i++) {
        if (check->blocks[i].number != 0) {
            visit(user, &check->blocks[i]);
        }
    }
}

void check_free(struct check *check) {
    storage_free(check->blocks, check->capacity * sizeof check->blocks[0]);
    storage_free(check->pending, check->lanes * sizeof check->pending[0]);
    *check = (struct check){0};
}
