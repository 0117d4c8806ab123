/* SPDX-License-Identifier: MIT */
/* Turns the events of a trace into a list of calls for each thread, in one walk. When a block turns out to be freed by
 * another thread, the call that allocated it, which is already in a list, is given a shared slot. */
#include "bench/trace/schedule.h"

#include "bench/trace/check.h"
#include "bench/trace/storage.h"

#include <inttypes.h>
#include <string.h>

/* What the walk needs beside its result. */
struct maker {
    struct schedule *schedule;
    const struct trace *trace;
    struct check check;
    bool *started;   /* by thread */
    uint32_t *ended; /* threads that said that they end and are not waited for yet */
    size_t ended_count, ended_room;
};

static const uint8_t call_of[TRACE_KINDS] = {
    [TRACE_MALLOC] = CALL_MALLOC,
    [TRACE_CALLOC] = CALL_CALLOC,
    [TRACE_MEMALIGN] = CALL_MEMALIGN,
    [TRACE_ALIGNED_ALLOC] = CALL_ALIGNED_ALLOC,
    [TRACE_POSIX_MEMALIGN] = CALL_POSIX_MEMALIGN,
    [TRACE_VALLOC] = CALL_VALLOC,
    [TRACE_PVALLOC] = CALL_PVALLOC,
    [TRACE_REALLOC] = CALL_REALLOC,
    [TRACE_REALLOCARRAY] = CALL_REALLOCARRAY,
    [TRACE_REALLOC_UNKNOWN] = CALL_MALLOC, /* there is no old block to give */
};

static struct schedule_call *add_call(struct schedule *schedule, uint32_t thread, enum schedule_kind kind) {
    struct schedule_lane *lane = &schedule->lanes[thread];
    lane->calls = storage_room(lane->calls, lane->count, &lane->room, sizeof lane->calls[0], "the calls");
    struct schedule_call *call = &lane->calls[lane->count++];
    call->kind = (uint64_t)kind & 15;
    schedule->used |= 1u << kind;
    return call;
}

static uint32_t new_slot(struct schedule_lane *lane) {
    return lane->free_count > 0 ? lane->free_slots[--lane->free_count] : lane->slot_count++;
}

static void free_slot(struct schedule_lane *lane, uint32_t slot) {
    lane->free_slots =
        storage_room(lane->free_slots, lane->free_count, &lane->free_room, sizeof lane->free_slots[0], "the slots");
    lane->free_slots[lane->free_count++] = slot;
}

/* The slot in which `thread` finds a block that it takes; *shared says of which kind. */
static uint32_t take_slot(struct schedule *schedule, const struct check_block *block, uint32_t thread, bool *shared) {
    struct schedule_lane *lane = &schedule->lanes[block->thread];
    free_slot(lane, block->slot);
    *shared = block->thread != thread;
    if (!*shared) {
        return block->slot;
    }
    struct schedule_call *maker = &lane->calls[block->place];
    maker->shared = 1;
    maker->slot = schedule->shared_count;
    return schedule->shared_count++;
}

/* count elements of size bytes, where the count has to fit 32 bits. false where neither of the two does. */
static bool set_calloc(struct schedule_call *call, uint64_t count, uint64_t size) {
    uint64_t small = count <= size ? count : size, large = count <= size ? size : count;
    bool keep = count <= UINT32_MAX;
    call->other = (uint32_t)(keep ? count : small);
    call->size = (keep ? size : large) & TRACE_SIZE_MAX;
    return (keep ? size : large) <= TRACE_SIZE_MAX && (keep || small <= UINT32_MAX);
}

static bool add_allocation(struct maker *maker, const struct trace_event *event, struct check_result *result,
                           struct trace_defect *defect) {
    struct schedule *schedule = maker->schedule;
    struct schedule_lane *lane = &schedule->lanes[event->thread];
    bool is_realloc = result->made_by == TRACE_REALLOC || result->made_by == TRACE_REALLOCARRAY;
    bool old_shared = false;
    uint32_t old = SCHEDULE_NO_SLOT;
    if (result->taken.number != 0) {
        old = take_slot(schedule, &result->taken, event->thread, &old_shared);
    }
    struct schedule_call *call = add_call(schedule, event->thread, (enum schedule_kind)call_of[result->made_by]);
    call->size = event->size & TRACE_SIZE_MAX;
    call->alignment_log2 = event->alignment_log2 & 63;
    call->slot = new_slot(lane);
    result->made->slot = call->slot;
    result->made->place = lane->count - 1;
    if (is_realloc) {
        call->size = event->size == 0 ? 1 : call->size;
        call->other = old;
        call->old_shared = old_shared;
        add_call(schedule, event->thread, CALL_OLD)->size = result->taken.size & TRACE_SIZE_MAX;
    }
    if (event->kind == TRACE_CALLOC && !set_calloc(call, event->count, event->size)) {
        return trace_defect_set(defect, event->offset, "impossible record: calloc of %" PRIu64 " times %" PRIu64,
                                event->count, event->size);
    }
    if (lane->slot_count == SCHEDULE_NO_SLOT || schedule->shared_count == SCHEDULE_NO_SLOT) {
        return trace_defect_set(defect, event->offset, "more than %" PRIu32 " blocks at a time", SCHEDULE_NO_SLOT);
    }
    return true;
}

static void add_free(struct maker *maker, uint32_t thread, const struct check_block *taken) {
    bool shared;
    uint32_t slot = take_slot(maker->schedule, taken, thread, &shared);
    struct schedule_call *call = add_call(maker->schedule, thread, CALL_FREE);
    call->size = taken->size & TRACE_SIZE_MAX;
    call->slot = slot;
    call->shared = shared;
}

static uint64_t last_number(const struct trace *trace, uint32_t thread) {
    return trace->spans[trace->lanes[thread].last].last;
}

/* A thread's first event: the first thread starts it here. */
static void start_thread(struct maker *maker, const struct trace_event *event) {
    maker->started[event->thread] = true;
    maker->schedule->threads++;
    if (event->thread == 0) {
        return;
    }
    size_t kept = 0;
    for (size_t i = 0; i < maker->ended_count; i++) {
        uint32_t thread = maker->ended[i];
        if (last_number(maker->trace, thread) < event->number) {
            add_call(maker->schedule, 0, CALL_JOIN)->slot = thread;
        } else {
            maker->ended[kept++] = thread;
        }
    }
    maker->ended_count = kept;
    add_call(maker->schedule, 0, CALL_SPAWN)->slot = event->thread;
}

static void end_thread(struct maker *maker, uint32_t thread) {
    struct schedule_lane *lane = &maker->schedule->lanes[thread];
    if (thread == 0 || lane->ended) {
        return;
    }
    lane->ended = true;
    maker->ended =
        storage_room(maker->ended, maker->ended_count, &maker->ended_room, sizeof maker->ended[0], "the threads");
    maker->ended[maker->ended_count++] = thread;
}

static bool add_event(struct maker *maker, const struct trace_event *event, struct trace_defect *defect) {
    struct schedule *schedule = maker->schedule;
    struct check_result result;
    if (!check_event(&maker->check, event, &result, defect)) {
        return false;
    }
    if (!maker->started[event->thread]) {
        start_thread(maker, event);
    }
    if (maker->check.live_bytes > schedule->peak_live_bytes) {
        schedule->peak_live_bytes = maker->check.live_bytes;
    }
    if (result.made != NULL) {
        schedule->operations++;
        return add_allocation(maker, event, &result, defect);
    }
    if (result.taken.number != 0) {
        schedule->operations++;
        add_free(maker, event->thread, &result.taken);
    } else if (event->kind == TRACE_FREE_NULL) {
        schedule->operations++;
        add_call(schedule, event->thread, CALL_FREE_NULL);
    } else if (event->kind == TRACE_THREAD_END) {
        end_thread(maker, event->thread);
    } else if (event->kind == TRACE_FAILED || event->kind == TRACE_FREE_UNKNOWN || event->kind == TRACE_RESULT_FAILED ||
               event->kind == TRACE_RESULT_FREED) {
        schedule->skipped++;
    }
    return true;
}

static void add_left(void *user, const struct check_block *block) {
    struct schedule *schedule = user;
    schedule->left =
        storage_room(schedule->left, schedule->left_count, &schedule->left_room, sizeof schedule->left[0], "the rest");
    schedule->left[schedule->left_count++] = (struct schedule_left){block->size, block->thread, block->slot};
}

/* What only the walk needed goes; what the replay uses is there, and its pages touched, before anything is measured. */
static void complete(struct maker *maker) {
    struct schedule *schedule = maker->schedule;
    check_finish(&maker->check);
    check_each(&maker->check, add_left, schedule);
    check_free(&maker->check);
    storage_free(maker->started, schedule->lane_count * sizeof maker->started[0]);
    storage_free(maker->ended, maker->ended_room * sizeof maker->ended[0]);
    for (size_t i = 0; i < schedule->lane_count; i++) {
        struct schedule_lane *lane = &schedule->lanes[i];
        storage_free(lane->free_slots, lane->free_room * sizeof lane->free_slots[0]);
        lane->free_slots = NULL;
        lane->slots = storage_new(lane->slot_count * sizeof lane->slots[0], "the slots");
        if (lane->slots != NULL) {
            memset(lane->slots, 0, lane->slot_count * sizeof lane->slots[0]);
        }
    }
    schedule->shared = storage_new(schedule->shared_count * sizeof schedule->shared[0], "the slots");
    if (schedule->shared != NULL) {
        memset(schedule->shared, 0, schedule->shared_count * sizeof schedule->shared[0]);
    }
}

/* Multiply and xor, word for word: it tells two schedules apart, and is no protection against anybody. */
static uint64_t checksum(const struct schedule *schedule) {
    uint64_t sum = schedule->operations;
    for (size_t i = 0; i < schedule->lane_count; i++) {
        const struct schedule_lane *lane = &schedule->lanes[i];
        for (size_t call = 0; call < lane->count; call++) {
            uint64_t words[2];
            memcpy(words, &lane->calls[call], sizeof words);
            sum = (sum ^ words[0]) * UINT64_C(0x9e3779b97f4a7c15);
            sum = ((sum ^ (sum >> 29)) + words[1]) * UINT64_C(0xd1342543de82ef95);
        }
        sum ^= sum >> 32;
    }
    return sum;
}

/* All events, checked only. */
static bool check_all(const struct trace *trace, struct trace_defect *defect) {
    struct check check;
    struct check_result change;
    struct trace_walk walk;
    struct trace_event event;
    enum walk_result result;
    if (!walk_start(&walk, trace, defect)) {
        return false;
    }
    check_start(&check, trace);
    while ((result = walk_next(&walk, &event, defect)) == WALK_EVENT) {
        if (!check_event(&check, &event, &change, defect)) {
            return false;
        }
    }
    walk_finish(&walk);
    check_free(&check);
    return result == WALK_END;
}

bool schedule_make(struct schedule *schedule, const struct trace *trace, uint64_t operations,
                   struct trace_defect *defect) {
    /* The walk below stops where enough calls are made. */
    if (operations != UINT64_MAX && !check_all(trace, defect)) {
        return false;
    }
    /* The first thread is there even where the trace has no event of it: it starts the others. */
    *schedule = (struct schedule){.lane_count = trace->lane_count > 0 ? trace->lane_count : 1};
    schedule->lanes = storage_new(schedule->lane_count * sizeof schedule->lanes[0], "the threads");
    struct maker maker = {.schedule = schedule, .trace = trace};
    maker.started = storage_new(schedule->lane_count * sizeof maker.started[0], "the threads");
    struct trace_walk walk;
    if (!walk_start(&walk, trace, defect)) {
        return false;
    }
    check_start(&maker.check, trace);
    struct trace_event event;
    enum walk_result result = WALK_END;
    while (schedule->operations < operations && (result = walk_next(&walk, &event, defect)) == WALK_EVENT) {
        if (!add_event(&maker, &event, defect)) {
            return false;
        }
    }
    schedule->dropped = walk.dropped;
    walk_finish(&walk);
    if (result == WALK_DEFECT) {
        return false;
    }
    complete(&maker);
    schedule->checksum = checksum(schedule);
    return true;
}
