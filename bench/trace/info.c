/* SPDX-License-Identifier: MIT */
/* Counts the events of a trace in one walk. Memory: some bytes for each live block and each call site. */
#include "bench/trace/info.h"

#include "bench/trace/check.h"
#include "bench/trace/storage.h"
#include "bench/worker/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sizes 0, 1, 2, 3-4, 5-8, .. up to 2^47. */
#define BUCKETS 50
#define TOP_SITES 20

struct bucket {
    uint64_t count, bytes;
};

struct site_count {
    uint32_t site;
    uint64_t count, bytes;
};

struct info {
    uint64_t events, kinds[TRACE_KINDS];
    uint64_t allocations, allocated_bytes, frees, handed_over;
    uint64_t peak_live_bytes, peak_live_blocks;
    uint32_t threads;
    struct bucket buckets[BUCKETS];
    struct site_count *sites; /* by index; the first for all without one */
};

static unsigned bucket_of(uint64_t size) {
    return size <= 1 ? (unsigned)size : 65 - (unsigned)__builtin_clzll(size - 1);
}

static uint64_t bucket_last(unsigned bucket) { return bucket == 0 ? 0 : UINT64_C(1) << (bucket - 1); }

static void count(struct info *info, const struct trace_event *event, const struct check *check,
                  const struct check_result *result) {
    info->events++;
    info->kinds[event->kind]++;
    if (result->taken.number != 0) {
        info->frees++;
        info->handed_over += result->taken.thread != event->thread;
    }
    if (result->made != NULL) {
        uint64_t size = result->made->size;
        struct bucket *bucket = &info->buckets[bucket_of(size)];
        bucket->count++;
        bucket->bytes += size;
        info->allocations++;
        info->allocated_bytes += size;
        info->sites[event->site].count++;
        info->sites[event->site].bytes += size;
    }
    if (check->live_bytes > info->peak_live_bytes) {
        info->peak_live_bytes = check->live_bytes;
    }
    if (check->live > info->peak_live_blocks) {
        info->peak_live_blocks = check->live;
    }
}

static void print_arguments(const struct trace_text *text) {
    printf("[");
    for (size_t i = 0; i < text->length;) {
        size_t length = strnlen(text->bytes + i, text->length - i);
        printf("%s", i == 0 ? "" : ",");
        json_bytes(text->bytes + i, length);
        i += length + 1;
    }
    printf("]");
}

static void print_counts(const struct info *info) {
    static const char *const names[TRACE_KINDS] = {
        [TRACE_MALLOC] = "malloc",
        [TRACE_CALLOC] = "calloc",
        [TRACE_MEMALIGN] = "memalign",
        [TRACE_ALIGNED_ALLOC] = "aligned_alloc",
        [TRACE_POSIX_MEMALIGN] = "posix_memalign",
        [TRACE_VALLOC] = "valloc",
        [TRACE_PVALLOC] = "pvalloc",
        [TRACE_FREE] = "free",
        [TRACE_FREE_NULL] = "free_null",
        [TRACE_FREE_UNKNOWN] = "free_unknown",
        [TRACE_FREE_UNSEEN] = "free_unseen",
        [TRACE_REALLOC] = "realloc",
        [TRACE_REALLOCARRAY] = "reallocarray",
        [TRACE_REALLOC_UNKNOWN] = "realloc_unknown",
        [TRACE_RESULT_FAILED] = "realloc_failed",
        [TRACE_RESULT_FREED] = "realloc_freed",
        [TRACE_FAILED] = "failed",
    };
    const char *comma = "";
    printf(",\"calls\":{");
    for (unsigned kind = 0; kind < TRACE_KINDS; kind++) {
        if (names[kind] != NULL) {
            printf("%s\"%s\":%" PRIu64, comma, names[kind], info->kinds[kind]);
            comma = ",";
        }
    }
    printf("}");
}

static void print_sizes(const struct info *info) {
    const char *comma = "";
    printf(",\"sizes\":[");
    for (unsigned i = 0; i < BUCKETS; i++) {
        if (info->buckets[i].count != 0) {
            printf("%s{\"from\":%" PRIu64 ",\"to\":%" PRIu64 ",\"count\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", comma,
                   i == 0 ? 0 : bucket_last(i - 1) + 1, bucket_last(i), info->buckets[i].count, info->buckets[i].bytes);
            comma = ",";
        }
    }
    printf("]");
}

static int more_bytes(const void *left, const void *right) {
    const struct site_count *a = left, *b = right;
    return a->bytes != b->bytes ? (a->bytes < b->bytes) - (a->bytes > b->bytes)
                                : (a->site > b->site) - (a->site < b->site);
}

/* pre: last use of the counts, which it sorts. */
static void print_top_sites(const struct info *info, const struct trace *trace) {
    qsort(info->sites, trace->site_count + 1, sizeof info->sites[0], more_bytes);
    printf(",\"top_sites\":[");
    for (size_t i = 0; i <= trace->site_count && i < TOP_SITES && info->sites[i].count != 0; i++) {
        const struct site_count *count = &info->sites[i];
        struct trace_site site = count->site != 0 ? trace->sites[count->site] : (struct trace_site){.module = 0};
        struct trace_text module = site.module != 0 ? trace->modules[site.module] : (struct trace_text){"", 0};
        if (site.module != 0 && module.length == 0) {
            module = trace->program; /* the loader has no name for the program itself */
        }
        printf("%s{\"module\":", i == 0 ? "" : ",");
        json_bytes(module.bytes, module.length);
        printf(",\"address\":%" PRIu64 ",\"allocations\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", site.address,
               count->count, count->bytes);
    }
    printf("]");
}

static void print(const struct trace *trace, const struct info *info, const struct check *check, uint64_t dropped) {
    static const char *const ends[] = {
        [TRACE_END_EXIT] = "exit", [TRACE_END_EXEC] = "exec", [TRACE_END_LIMIT] = "limit"};
    printf("{\"version\":%d,\"program\":", TRACE_VERSION);
    json_bytes(trace->program.bytes, trace->program.length);
    printf(",\"arguments\":");
    print_arguments(&trace->arguments);
    printf(",\"allocator\":");
    json_bytes(trace->allocator.bytes, trace->allocator.length);
    json_count("pid", trace->pid);
    json_count("parent", trace->parent);
    json_count("started_ns", trace->started_ns);
    json_count("duration_ns", trace->duration_ns);
    json_flag("complete", trace->complete);
    json_text("end", trace->complete ? ends[trace->reason] : NULL);
    json_count("bytes", trace->size);
    json_count("unread_bytes", trace->size - trace->cut_offset);
    json_count("dropped", dropped);
    json_count("events", info->events);
    json_count("threads", info->threads);
    json_count("sites", trace->site_count);
    json_count("modules", trace->module_count);
    print_counts(info);
    json_count("allocations", info->allocations);
    json_count("allocated_bytes", info->allocated_bytes);
    json_count("frees", info->frees);
    json_count("handed_over", info->handed_over);
    json_count("peak_live_bytes", info->peak_live_bytes);
    json_count("peak_live_blocks", info->peak_live_blocks);
    json_count("left_blocks", check->live);
    json_count("left_bytes", check->live_bytes);
    print_sizes(info);
    print_top_sites(info, trace);
    printf("}\n");
}

bool info_print(const struct trace *trace, struct trace_defect *defect) {
    static struct info info;
    struct trace_walk walk;
    struct check check;
    struct check_result change;
    struct trace_event event;
    enum walk_result result;
    info.sites = storage_new((trace->site_count + 1) * sizeof info.sites[0], "the sites");
    for (uint32_t i = 0; i <= trace->site_count; i++) {
        info.sites[i].site = i;
    }
    for (size_t i = 0; i < trace->lane_count; i++) {
        info.threads += trace->lanes[i].first != 0;
    }
    if (!walk_start(&walk, trace, defect)) {
        return false;
    }
    check_start(&check, trace);
    while ((result = walk_next(&walk, &event, defect)) == WALK_EVENT) {
        if (!check_event(&check, &event, &change, defect)) {
            return false;
        }
        count(&info, &event, &check, &change);
    }
    if (result == WALK_DEFECT) {
        return false;
    }
    check_finish(&check);
    print(trace, &info, &check, walk.dropped);
    return true;
}
