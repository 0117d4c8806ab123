/* SPDX-License-Identifier: MIT */
/* Visits the events of all threads in the order of their numbers, and checks each record by itself. check.c checks them
 * against each other. */
#include "bench/trace/reader.h"
#include "bench/trace/storage.h"

#include <inttypes.h>
#include <string.h>

enum field { NO_FIELD, SIZE, WANTED_SIZE, COUNT, ALIGNMENT, AGE, AGE_OR_NULL, SITE };
#define FIELDS_MAX 4

static const uint8_t fields_of[TRACE_KINDS][FIELDS_MAX] = {
    [TRACE_MALLOC] = {SIZE, SITE},
    [TRACE_CALLOC] = {COUNT, SIZE, SITE},
    [TRACE_MEMALIGN] = {ALIGNMENT, SIZE, SITE},
    [TRACE_ALIGNED_ALLOC] = {ALIGNMENT, SIZE, SITE},
    [TRACE_POSIX_MEMALIGN] = {ALIGNMENT, SIZE, SITE},
    [TRACE_VALLOC] = {SIZE, SITE},
    [TRACE_PVALLOC] = {SIZE, SITE},
    [TRACE_FREE] = {AGE},
    [TRACE_FREE_UNSEEN] = {AGE},
    [TRACE_REALLOC] = {AGE_OR_NULL},
    [TRACE_REALLOCARRAY] = {AGE_OR_NULL},
    [TRACE_RESULT_BLOCK] = {SIZE, SITE},
    [TRACE_RESULT_FAILED] = {WANTED_SIZE},
    [TRACE_FAILED] = {WANTED_SIZE},
};

/* A field's value into the event; NULL, or what is impossible about it. */
static const char *set_field(struct trace_event *event, enum field field, uint64_t value, const struct trace *trace) {
    switch (field) {
    case SIZE: event->size = value; return value > TRACE_SIZE_MAX ? "a size that no block has" : NULL;
    case WANTED_SIZE: event->size = value; return NULL;
    case COUNT: event->count = value; return NULL;
    case ALIGNMENT:
        event->alignment_log2 = (uint8_t)value;
        return value > TRACE_ALIGNMENT_LOG2_MAX ? "an alignment that no block has" : NULL;
    case AGE:
    case AGE_OR_NULL:
        event->block = value == 0 ? 0 : event->number - value;
        if (value == 0) {
            return field == AGE ? "a block that is its own event" : NULL;
        }
        return value >= event->number ? "a block from before the first event" : NULL;
    case SITE:
        event->site = (uint32_t)value;
        if (value > trace->site_count) {
            event->site = 0;
            /* Sites are written before the events that use them, but what is cut is cut. */
            return value >= TRACE_SITES_MAX || trace->complete ? "a site that is not told" : NULL;
        }
        return NULL;
    default: return NULL;
    }
}

/* The fields behind a record's number. Behind the record, or NULL where something is wrong: *why says what. */
static const uint8_t *decode_fields(struct trace_cursor *cursor, const uint8_t *at, const uint8_t *end, bool same_site,
                                    const struct trace *trace, const char **why) {
    struct trace_event *event = &cursor->event;
    const uint8_t *fields = fields_of[event->kind];
    for (unsigned i = 0; i < FIELDS_MAX && fields[i] != NO_FIELD; i++) {
        uint64_t value = cursor->site;
        if (fields[i] != SITE || !same_site) {
            *why = "a number that does not end in its chunk, or has more than 64 bits";
            at = trace_get(at, end, &value);
            if (at == NULL) {
                return NULL;
            }
        }
        *why = set_field(event, (enum field)fields[i], value, trace);
        if (*why != NULL) {
            return NULL;
        }
        if (fields[i] == SITE) {
            cursor->site = (uint32_t)value;
        }
    }
    uint64_t bytes;
    if (event->kind == TRACE_CALLOC &&
        (__builtin_mul_overflow(event->count, event->size, &bytes) || bytes > TRACE_SIZE_MAX)) {
        *why = "a product of count and size that no block has";
        return NULL;
    }
    return at;
}

static bool fail(const struct trace *trace, const uint8_t *at, const char *why, struct trace_defect *defect) {
    return trace_defect_set(defect, (uint64_t)(at - trace->bytes), "impossible record: %s", why);
}

/* The cursor's next event. pre: a record is left in its span. */
static bool decode(struct trace_cursor *cursor, const struct trace *trace, struct trace_defect *defect) {
    const struct trace_span *span = &trace->spans[cursor->span];
    const uint8_t *const start = cursor->at, *at = start;
    if (at == span->end) {
        return fail(trace, at, "the chunk says that it has more of them", defect);
    }
    uint8_t head = *at++;
    uint64_t step = 1;
    struct trace_event *event = &cursor->event;
    uint32_t thread = event->thread;
    *event = (struct trace_event){.thread = thread, .kind = head & TRACE_KIND_MASK};
    event->offset = (uint64_t)(start - trace->bytes);
    if ((head & TRACE_RESERVED) != 0 || event->kind == 0 || event->kind >= TRACE_KINDS) {
        return fail(trace, start, "there is no such kind", defect);
    }
    if ((head & TRACE_NEXT_NUMBER) == 0) {
        at = trace_get(at, span->end, &step);
    }
    bool is_first = start == span->records;
    if (at == NULL || step == 0 || step > span->last - cursor->number || (is_first && step != 1)) {
        return fail(trace, start, "a number that is not in its chunk's range", defect);
    }
    event->number = cursor->number + step;
    const char *why = NULL;
    at = decode_fields(cursor, at, span->end, (head & TRACE_SAME_SITE) != 0, trace, &why);
    if (at == NULL) {
        return fail(trace, start, why, defect);
    }
    cursor->at = at;
    cursor->number = event->number;
    cursor->left--;
    if (cursor->left == 0 && (at != span->end || event->number != span->last)) {
        return fail(trace, at, "the chunk says that it was the last", defect);
    }
    return true;
}

enum step { STEP_EVENT, STEP_END, STEP_DEFECT };

/* Moves a cursor to its thread's next event. */
static enum step advance(struct trace_cursor *cursor, const struct trace *trace, struct trace_defect *defect) {
    if (cursor->left == 0) {
        uint32_t next = trace->spans[cursor->span].next;
        if (next == 0) {
            return STEP_END;
        }
        const struct trace_span *span = &trace->spans[next];
        cursor->span = next;
        cursor->at = span->records;
        cursor->left = span->count;
        cursor->number = span->first - 1;
        cursor->site = 0;
    }
    return decode(cursor, trace, defect) ? STEP_EVENT : STEP_DEFECT;
}

static uint64_t number_at(const struct trace_walk *walk, size_t i) { return walk->cursors[walk->heap[i]].event.number; }

/* Moves the thread at place i down to where no smaller number is below it. */
static void sift_down(struct trace_walk *walk, size_t i) {
    uint32_t thread = walk->heap[i];
    uint64_t number = walk->cursors[thread].event.number;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < walk->heap_size && number_at(walk, child + 1) < number_at(walk, child)) {
            child++;
        }
        if (child >= walk->heap_size || number_at(walk, child) >= number) {
            walk->heap[i] = thread;
            return;
        }
        walk->heap[i] = walk->heap[child];
        i = child;
    }
}

bool walk_start(struct trace_walk *walk, const struct trace *trace, struct trace_defect *defect) {
    *walk = (struct trace_walk){.trace = trace, .next = 1};
    walk->cursors = storage_new(trace->lane_count * sizeof walk->cursors[0], "the threads");
    walk->heap = storage_new(trace->lane_count * sizeof walk->heap[0], "the threads");
    for (uint32_t thread = 0; thread < trace->lane_count; thread++) {
        struct trace_cursor *cursor = &walk->cursors[thread];
        uint32_t first = trace->lanes[thread].first;
        if (first == 0) {
            continue;
        }
        const struct trace_span *span = &trace->spans[first];
        *cursor = (struct trace_cursor){.at = span->records, .span = first, .left = span->count};
        cursor->number = span->first - 1;
        cursor->event.thread = thread;
        if (!decode(cursor, trace, defect)) {
            walk_finish(walk);
            return false;
        }
        walk->heap[walk->heap_size++] = thread;
    }
    for (size_t i = walk->heap_size; i-- > 0;) {
        sift_down(walk, i);
    }
    return true;
}

/* The numbers end before a record that is there: no event with the number walk->next. */
static enum walk_result stop(struct trace_walk *walk, const struct trace_event *found, struct trace_defect *defect) {
    const struct trace *trace = walk->trace;
    if (trace->complete) {
        trace_defect_set(defect, found->offset, "event %" PRIu64 " is missing: this is event %" PRIu64, walk->next,
                         found->number);
        return WALK_DEFECT;
    }
    for (size_t i = 0; i < walk->heap_size; i++) {
        const struct trace_cursor *cursor = &walk->cursors[walk->heap[i]];
        walk->dropped += 1 + cursor->left;
        for (uint32_t span = trace->spans[cursor->span].next; span != 0; span = trace->spans[span].next) {
            walk->dropped += trace->spans[span].count;
        }
    }
    walk->heap_size = 0;
    return WALK_END;
}

enum walk_result walk_next(struct trace_walk *walk, struct trace_event *event, struct trace_defect *defect) {
    const struct trace *trace = walk->trace;
    if (walk->heap_size == 0) {
        if (trace->complete && walk->next != trace->events + 1) {
            trace_defect_set(defect, trace->end_offset, "the end counts %" PRIu64 " events, there are %" PRIu64,
                             trace->events, walk->next - 1);
            return WALK_DEFECT;
        }
        return WALK_END;
    }
    struct trace_cursor *cursor = &walk->cursors[walk->heap[0]];
    *event = cursor->event;
    if (event->number < walk->next) {
        trace_defect_set(defect, event->offset, "impossible record: event %" PRIu64 " is there twice", event->number);
        return WALK_DEFECT;
    }
    if (event->number > walk->next) {
        return stop(walk, event, defect);
    }
    walk->next++;
    switch (advance(cursor, trace, defect)) {
    case STEP_DEFECT: return WALK_DEFECT;
    case STEP_END: walk->heap[0] = walk->heap[--walk->heap_size]; break;
    case STEP_EVENT: break;
    }
    if (walk->heap_size > 1) {
        sift_down(walk, 0);
    }
    return WALK_EVENT;
}

void walk_finish(struct trace_walk *walk) {
    storage_free(walk->cursors, walk->trace->lane_count * sizeof walk->cursors[0]);
    storage_free(walk->heap, walk->trace->lane_count * sizeof walk->heap[0]);
    walk->cursors = NULL;
    walk->heap = NULL;
}
