/* SPDX-License-Identifier: MIT */
/* See paths.h. Three walks over the events: for the moment of the peak; for what each path had then and in all; and for the
 * course of those that had most at the peak. Memory: some bytes for each live block and each site, none for an event. */
#include "bench/trace/paths.h"

#include "bench/trace/check.h"
#include "bench/trace/storage.h"
#include "bench/worker/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Points of the course: more than a plot has pixels would not be seen. */
#define POINTS 600
/* Paths with a course of their own; the others are one. */
#define COURSES 8
/* Lifetimes below 2^1, 2^2, .. events. */
#define AGES 48

/* By site. A block is temporary if its thread's next event is its free. */
struct path {
    uint64_t blocks, bytes, temporary, freed, lifetimes, left_lifetimes;
    uint64_t live_blocks, live_bytes, most_blocks, most_bytes, peak_blocks, peak_bytes;
};

struct point {
    uint64_t event, blocks, bytes, of[COURSES + 1];
};

static struct {
    uint64_t events, peak_event, peak_bytes, peak_blocks;
    uint64_t ages[AGES];
    size_t site_count;
    struct path *paths;    /* by site; the first for all without one */
    uint64_t *last_made;   /* by thread: its last event, where that made a block */
    uint8_t *course;       /* by site: which course it belongs to */
    uint32_t top[COURSES]; /* sites */
    unsigned top_count;
    struct point points[POINTS], now;
} own;

typedef void visit_event(const struct trace_event *event, const struct check *check, const struct check_result *result);

/* Passes every event in its order, and then the blocks that are left. Of a block that is live the slot is its site. */
static bool visit_all(const struct trace *trace, visit_event *visit, check_visit *left, struct trace_defect *defect) {
    struct trace_walk walk;
    struct check check;
    struct check_result change;
    struct trace_event event;
    enum walk_result result;
    if (!walk_start(&walk, trace, defect)) {
        return false;
    }
    check_start(&check, trace);
    bool is_sound = true;
    while (is_sound && (result = walk_next(&walk, &event, defect)) == WALK_EVENT) {
        is_sound = check_event(&check, &event, &change, defect);
        if (is_sound && change.made != NULL) {
            change.made->slot = event.site;
        }
        if (is_sound) {
            visit(&event, &check, &change);
        }
    }
    if (is_sound && left != NULL) {
        check_finish(&check);
        check_each(&check, left, NULL);
    }
    check_free(&check);
    walk_finish(&walk);
    return is_sound && result == WALK_END;
}

static void find_peak(const struct trace_event *event, const struct check *check, const struct check_result *result) {
    (void)result;
    own.events = event->number;
    if (check->live_bytes > own.peak_bytes || own.peak_event == 0) {
        own.peak_event = event->number;
        own.peak_bytes = check->live_bytes;
        own.peak_blocks = check->live;
    }
}

static void count_taken(const struct trace_event *event, const struct check_block *block) {
    struct path *path = &own.paths[block->slot];
    const uint64_t lifetime = event->number - block->number;
    const unsigned age = 63 - (unsigned)__builtin_clzll(lifetime | 1);
    own.ages[age < AGES ? age : AGES - 1]++;
    path->lifetimes += lifetime;
    path->freed++;
    path->temporary += event->kind == TRACE_FREE && own.last_made[event->thread] == block->number;
    path->live_blocks--;
    path->live_bytes -= block->size;
}

static void count_made(const struct check_block *block) {
    struct path *path = &own.paths[block->slot];
    path->blocks++;
    path->bytes += block->size;
    path->live_blocks++;
    path->live_bytes += block->size;
    path->most_blocks = path->live_blocks > path->most_blocks ? path->live_blocks : path->most_blocks;
    path->most_bytes = path->live_bytes > path->most_bytes ? path->live_bytes : path->most_bytes;
}

static void count_paths(const struct trace_event *event, const struct check *check, const struct check_result *result) {
    (void)check;
    if (result->taken.number != 0) {
        count_taken(event, &result->taken);
    }
    if (result->made != NULL) {
        count_made(result->made);
    }
    own.last_made[event->thread] = result->made != NULL ? event->number : 0;
    if (event->number == own.peak_event) {
        for (size_t i = 0; i <= own.site_count; i++) {
            own.paths[i].peak_blocks = own.paths[i].live_blocks;
            own.paths[i].peak_bytes = own.paths[i].live_bytes;
        }
    }
}

static void count_left(void *user, const struct check_block *block) {
    (void)user;
    own.paths[block->slot].left_lifetimes += own.events - block->number;
}

/* Chooses the paths that had most at the peak. */
static void choose_courses(size_t site_count) {
    memset(own.course, COURSES, site_count + 1);
    for (unsigned rank = 0; rank < COURSES; rank++) {
        size_t best = SIZE_MAX;
        for (size_t i = 0; i <= site_count; i++) {
            const bool is_free = own.course[i] == COURSES && own.paths[i].peak_bytes != 0;
            if (is_free && (best == SIZE_MAX || own.paths[i].peak_bytes > own.paths[best].peak_bytes)) {
                best = i;
            }
        }
        if (best == SIZE_MAX) {
            return;
        }
        own.course[best] = (uint8_t)rank;
        own.top[own.top_count++] = (uint32_t)best;
    }
}

/* A point is the moment within its share of the events when most bytes were live. */
static void follow(const struct trace_event *event, const struct check *check, const struct check_result *result) {
    if (result->taken.number != 0) {
        own.now.of[own.course[result->taken.slot]] -= result->taken.size;
    }
    if (result->made != NULL) {
        own.now.of[own.course[result->made->slot]] += result->made->size;
    }
    const uint64_t count = own.events < POINTS ? own.events : POINTS;
    struct point *point = &own.points[(uint64_t)(((__uint128_t)(event->number - 1) * count) / own.events)];
    if (point->event == 0 || check->live_bytes > point->bytes) {
        *point = own.now;
        point->event = event->number;
        point->blocks = check->live;
        point->bytes = check->live_bytes;
    }
}

static void print_list(const uint64_t *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        printf("%s%" PRIu64, i == 0 ? "[" : ",", values[i]);
    }
    printf("]");
}

static void print_modules(const struct trace *trace) {
    printf(",\"modules\":[");
    for (size_t i = 1; i <= trace->module_count; i++) {
        /* The loader has no name for the program itself. */
        const struct trace_text *name = trace->modules[i].length != 0 ? &trace->modules[i] : &trace->program;
        printf("%s", i == 1 ? "" : ",");
        json_bytes(name->bytes, name->length);
    }
    printf("],\"sites\":[");
    for (size_t i = 1; i <= trace->site_count; i++) {
        const struct trace_site *site = &trace->sites[i];
        printf("%s", i == 1 ? "" : ",");
        print_list((const uint64_t[]){site->module, site->address, site->caller}, 3);
    }
    printf("]");
}

static void print_paths(const struct trace *trace) {
    const char *comma = "";
    printf(",\"paths\":[");
    for (size_t i = 0; i <= trace->site_count; i++) {
        const struct path *path = &own.paths[i];
        if (path->blocks != 0) {
            const uint64_t values[] = {
                i,
                path->blocks,
                path->bytes,
                path->temporary,
                path->freed,
                path->lifetimes,
                path->left_lifetimes,
                path->most_blocks,
                path->most_bytes,
                path->peak_blocks,
                path->peak_bytes,
                path->live_blocks,
                path->live_bytes,
            };
            printf("%s", comma);
            print_list(values, sizeof values / sizeof *values);
            comma = ",";
        }
    }
    printf("]");
}

static void print_points(void) {
    const char *comma = "";
    printf(",\"courses\":[");
    for (unsigned i = 0; i < own.top_count; i++) {
        printf("%s%" PRIu32, i == 0 ? "" : ",", own.top[i]);
    }
    printf("],\"points\":[");
    for (size_t i = 0; i < POINTS; i++) {
        const struct point *point = &own.points[i];
        if (point->event != 0) {
            uint64_t values[3 + COURSES + 1] = {point->event, point->blocks, point->bytes};
            memcpy(values + 3, point->of, own.top_count * sizeof *values);
            values[3 + own.top_count] = point->of[COURSES];
            printf("%s", comma);
            print_list(values, 4 + own.top_count);
            comma = ",";
        }
    }
    printf("]");
}

/* When chunks were written: nanoseconds since the start, each with the last event in it. In the file's order, one in so many that
 * there are hardly more than points. */
static void print_times(const struct trace *trace) {
    const size_t step = trace->span_count / POINTS + 1;
    printf(",\"times\":[");
    for (size_t i = 1; i <= trace->span_count; i += step) {
        printf("%s", i == 1 ? "" : ",");
        print_list((const uint64_t[]){trace->spans[i].last, trace->spans[i].written_ns}, 2);
    }
    printf("]");
}

static void print(const struct trace *trace) {
    printf("{\"version\":%d,\"program\":", TRACE_VERSION);
    json_bytes(trace->program.bytes, trace->program.length);
    json_count("pid", trace->pid);
    json_count("duration_ns", trace->duration_ns);
    json_flag("complete", trace->complete);
    json_flag("has_callers", trace->callers_told != 0);
    json_count("events", own.events);
    json_count("peak_event", own.peak_event);
    json_count("peak_bytes", own.peak_bytes);
    json_count("peak_blocks", own.peak_blocks);
    print_modules(trace);
    print_paths(trace);
    printf(",\"ages\":");
    print_list(own.ages, AGES);
    print_points();
    print_times(trace);
    printf("}\n");
}

bool paths_print(const struct trace *trace, struct trace_defect *defect) {
    const size_t sites = trace->site_count + 1;
    own.paths = storage_new(sites * sizeof *own.paths, "the paths");
    own.course = storage_new(sites, "the paths");
    own.last_made = storage_new(trace->lane_count * sizeof *own.last_made, "the threads");
    own.site_count = trace->site_count;
    if (!visit_all(trace, find_peak, NULL, defect) || !visit_all(trace, count_paths, count_left, defect)) {
        return false;
    }
    choose_courses(trace->site_count);
    if (own.events != 0 && !visit_all(trace, follow, NULL, defect)) {
        return false;
    }
    print(trace);
    return true;
}
