/* SPDX-License-Identifier: MIT */
/* Opens a trace: header, every chunk's length and CRC, and all chunks that are not events. walk.c reads those. */
#include "bench/trace/reader.h"

#include "bench/trace/crc32.h"
#include "bench/trace/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool trace_defect_set(struct trace_defect *defect, uint64_t offset, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    defect->offset = offset;
    vsnprintf(defect->text, sizeof defect->text, format, arguments);
    va_end(arguments);
    return false;
}

/* A chunk as it is taken apart. `at` is NULL once something did not fit. */
struct payload {
    const uint8_t *at, *end;
};

static uint64_t take(struct payload *payload) {
    uint64_t value = 0;
    if (payload->at != NULL) {
        payload->at = trace_get(payload->at, payload->end, &value);
    }
    return value;
}

static struct trace_text take_text(struct payload *payload) {
    uint64_t length = take(payload);
    struct trace_text text = {NULL, 0};
    if (payload->at == NULL || length > (uint64_t)(payload->end - payload->at)) {
        payload->at = NULL;
        return text;
    }
    text = (struct trace_text){(const char *)payload->at, (size_t)length};
    payload->at += length;
    return text;
}

static bool add_meta(struct trace *trace, struct payload *payload) {
    trace->pid = take(payload);
    trace->parent = take(payload);
    trace->started_ns = take(payload);
    trace->program = take_text(payload);
    trace->allocator = take_text(payload);
    trace->arguments = take_text(payload);
    return payload->at == payload->end;
}

/* The first index and the count of a chunk of modules or sites, which go on where the last such chunk ended. */
static bool take_range(struct payload *payload, size_t known, uint64_t max, uint64_t *count) {
    uint64_t first = take(payload);
    *count = take(payload);
    return payload->at != NULL && first == known + 1 && *count <= max && known + *count < max;
}

static bool add_modules(struct trace *trace, struct payload *payload) {
    uint64_t count;
    if (!take_range(payload, trace->module_count, TRACE_MODULES_MAX, &count)) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        size_t index = ++trace->module_count;
        trace->modules =
            storage_room(trace->modules, index, &trace->modules_room, sizeof trace->modules[0], "the modules");
        trace->modules[index] = take_text(payload);
    }
    return payload->at == payload->end;
}

static bool add_sites(struct trace *trace, struct payload *payload) {
    uint64_t count;
    if (!take_range(payload, trace->site_count, TRACE_SITES_MAX, &count)) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        size_t index = ++trace->site_count;
        trace->sites = storage_room(trace->sites, index, &trace->sites_room, sizeof trace->sites[0], "the sites");
        uint64_t module = take(payload), address = take(payload);
        if (module > trace->module_count) {
            return false;
        }
        trace->sites[index] = (struct trace_site){.module = (uint32_t)module, .address = address};
    }
    return payload->at == payload->end;
}

/* Each site once at most, after it was told; a caller is told before those that it calls, so that no path is a circle. */
static bool add_callers(struct trace *trace, struct payload *payload) {
    uint64_t first = take(payload), count = take(payload);
    if (payload->at == NULL || first <= trace->callers_told || first > trace->site_count ||
        count > trace->site_count - first + 1) {
        return false;
    }
    trace->callers_told = (size_t)(first + count - 1);
    for (uint64_t index = first; index < first + count; index++) {
        uint64_t caller = take(payload);
        if (caller >= index) {
            return false;
        }
        trace->sites[index].caller = (uint32_t)caller;
    }
    return payload->at == payload->end;
}

static bool add_events(struct trace *trace, uint32_t thread, struct payload *payload) {
    struct trace_span span = {.first = take(payload), .last = take(payload)};
    uint64_t count = take(payload), time = take(payload);
    /* A record has a byte at least. */
    if (payload->at == NULL || count == 0 || count > (uint64_t)(payload->end - payload->at) || span.first == 0 ||
        span.last < span.first || span.last - span.first < count - 1) {
        return false;
    }
    span.count = (uint32_t)count;
    span.written_ns = time;
    span.records = payload->at;
    span.end = payload->end;
    uint32_t index = (uint32_t)++trace->span_count;
    trace->spans = storage_room(trace->spans, index, &trace->spans_room, sizeof trace->spans[0], "the chunks");
    while (thread >= trace->lane_count) {
        trace->lanes =
            storage_room(trace->lanes, trace->lane_count, &trace->lanes_room, sizeof trace->lanes[0], "the threads");
        trace->lanes[trace->lane_count++] = (struct trace_lane){0, 0};
    }
    struct trace_lane *lane = &trace->lanes[thread];
    if (lane->last != 0 && span.first <= trace->spans[lane->last].last) {
        return false;
    }
    trace->spans[index] = span;
    if (lane->last == 0) {
        lane->first = index;
    } else {
        trace->spans[lane->last].next = index;
    }
    lane->last = index;
    trace->duration_ns = time > trace->duration_ns ? time : trace->duration_ns;
    return true;
}

static bool add_end(struct trace *trace, struct payload *payload) {
    trace->events = take(payload);
    uint64_t threads = take(payload), time = take(payload), reason = take(payload);
    if (payload->at != payload->end || reason > TRACE_END_LIMIT || threads < trace->lane_count ||
        threads > TRACE_THREADS_MAX) {
        return false;
    }
    trace->complete = true;
    trace->reason = (enum trace_end)reason;
    trace->duration_ns = time;
    return true;
}

/* One whole chunk with a sound CRC. */
static bool add_chunk(struct trace *trace, const struct trace_chunk *chunk, const uint8_t *bytes, uint64_t offset,
                      struct trace_defect *defect) {
    if (trace->complete && trace->reason != TRACE_END_EXEC) {
        return trace_defect_set(defect, offset, "a chunk behind the end of the trace");
    }
    if (chunk->type != TRACE_EVENTS && chunk->thread != 0) {
        return trace_defect_set(defect, offset, "thread %" PRIu32 " in a chunk that has none", chunk->thread);
    }
    trace->complete = false;
    trace->end_offset = offset;
    struct payload payload = {bytes, bytes + chunk->length};
    bool sound;
    switch (chunk->type) {
    case TRACE_META: sound = add_meta(trace, &payload); break;
    case TRACE_MODULES: sound = add_modules(trace, &payload); break;
    case TRACE_SITES: sound = add_sites(trace, &payload); break;
    case TRACE_CALLERS: sound = add_callers(trace, &payload); break;
    case TRACE_EVENTS:
        if (chunk->thread >= TRACE_THREADS_MAX) {
            return trace_defect_set(defect, offset, "thread %" PRIu32 " out of range: there are at most %u",
                                    chunk->thread, TRACE_THREADS_MAX);
        }
        sound = add_events(trace, chunk->thread, &payload);
        break;
    case TRACE_END: sound = add_end(trace, &payload); break;
    default: return trace_defect_set(defect, offset, "no such type of chunk: %" PRIu32, chunk->type);
    }
    return sound || trace_defect_set(defect, offset, "impossible content of a chunk of type %" PRIu32, chunk->type);
}

static bool check_header(const struct trace *trace, struct trace_defect *defect) {
    struct trace_header header;
    if (trace->size < sizeof header.magic || memcmp(trace->bytes, TRACE_MAGIC, TRACE_MAGIC_BYTES) != 0) {
        return trace_defect_set(defect, 0, "not a trace: it does not begin with \"%s\"", TRACE_MAGIC);
    }
    if (trace->size < sizeof header) {
        return trace_defect_set(defect, 0, "the header is cut: %zu bytes of %zu", trace->size, sizeof header);
    }
    memcpy(&header, trace->bytes, sizeof header);
    if (header.crc != crc32_add(0, trace->bytes, sizeof header - sizeof header.crc)) {
        return trace_defect_set(defect, 0, "the header is damaged: its CRC does not fit");
    }
    if (header.version != TRACE_VERSION) {
        return trace_defect_set(defect, TRACE_MAGIC_BYTES, "version %" PRIu32 "; this program reads version %d",
                                header.version, TRACE_VERSION);
    }
    return true;
}

static bool check_chunks(struct trace *trace, bool may_be_cut, struct trace_defect *defect) {
    uint64_t offset = sizeof(struct trace_header);
    while (offset < trace->size) {
        struct trace_chunk chunk;
        uint64_t left = trace->size - offset;
        if (left >= sizeof chunk) {
            memcpy(&chunk, trace->bytes + offset, sizeof chunk);
        }
        if (left < sizeof chunk || left - sizeof chunk < chunk.length) {
            trace->cut_offset = offset;
            trace->complete = false;
            return may_be_cut ||
                   trace_defect_set(defect, offset,
                                    "the chunk is cut: the file ends %" PRIu64 " bytes behind its start", left);
        }
        const uint8_t *bytes = trace->bytes + offset + sizeof chunk;
        if (chunk.crc != crc32_add(crc32_add(0, &chunk, TRACE_CHUNK_CHECKED), bytes, chunk.length)) {
            return trace_defect_set(defect, offset, "the chunk is damaged: its CRC does not fit");
        }
        if (!add_chunk(trace, &chunk, bytes, offset, defect)) {
            return false;
        }
        offset += sizeof chunk + chunk.length;
    }
    trace->cut_offset = offset;
    return true;
}

static bool map_file(struct trace *trace, const char *path, struct trace_defect *defect) {
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    bool opened = file >= 0 && fstat(file, &status) == 0;
    if (opened && !S_ISREG(status.st_mode)) {
        close(file);
        return trace_defect_set(defect, 0, "not a file");
    }
    if (opened && status.st_size == 0) {
        close(file);
        return trace_defect_set(defect, 0, "not a trace: it is empty");
    }
    void *bytes = opened ? mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0) : MAP_FAILED;
    int error = errno;
    if (file >= 0) {
        close(file);
    }
    if (bytes == MAP_FAILED) {
        return trace_defect_set(defect, 0, "%s", strerror(error));
    }
    trace->bytes = bytes;
    trace->size = (size_t)status.st_size;
    return true;
}

bool trace_open(struct trace *trace, const char *path, bool may_be_cut, struct trace_defect *defect) {
    *trace = (struct trace){0};
    crc32_start();
    if (!map_file(trace, path, defect)) {
        return false;
    }
    if (!check_header(trace, defect) || !check_chunks(trace, may_be_cut, defect)) {
        trace_close(trace);
        return false;
    }
    return true;
}

void trace_close(struct trace *trace) {
    munmap((void *)trace->bytes, trace->size);
    storage_free(trace->modules, trace->modules_room * sizeof trace->modules[0]);
    storage_free(trace->sites, trace->sites_room * sizeof trace->sites[0]);
    storage_free(trace->spans, trace->spans_room * sizeof trace->spans[0]);
    storage_free(trace->lanes, trace->lanes_room * sizeof trace->lanes[0]);
    *trace = (struct trace){0};
}
