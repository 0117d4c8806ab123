/* SPDX-License-Identifier: MIT */
/* Chunks into the trace's file. Called with a buffer's lock held, or with none. A chunk is one write at the end of
 * the file, so that a killed program leaves whole chunks and at most one that is cut. */
#include "bench/trace/recorder.h"

#include "bench/trace/crc32.h"
#include "bench/trace/recorder_next.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Names tried where the file is there already: an image that was replaced by exec, or an old trace. */
#define NAMES_MAX 1000

/* What is kept of the arguments; the kernel gives at most a page at a time. */
#define ARGUMENTS_BYTES 4096

size_t output_string(uint8_t *at, const char *text, size_t length) {
    uint8_t *const bytes = trace_put(at, length);
    memcpy(bytes, text, length);
    return (size_t)(bytes - at) + length;
}

void output_chunk(enum trace_chunk_type type, uint32_t thread, const uint8_t *payload, size_t length) {
    struct recorder *recorder = recorder_state;
    if (hak_load_relaxed(&recorder->failed)) { /* relaxed: one write more or less */
        return;
    }
    struct trace_chunk chunk = {.type = (uint32_t)type, .thread = thread, .length = (uint32_t)length};
    chunk.crc = crc32_add(crc32_add(0, &chunk, TRACE_CHUNK_CHECKED), payload, length);
    if (!system_write(recorder->path, &chunk, sizeof chunk, payload, length)) {
        recorder_give_up("cannot write", recorder->path, errno);
    }
}

static char *put_decimal(char *at, uint64_t value) {
    char digits[20];
    unsigned count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count > 0) {
        *at++ = digits[--count];
    }
    return at;
}

/* FILE for the first process of a recording, FILE.PID for every other, FILE.PID.N where that exists. Not snprintf:
 * this may be the program's first call of malloc, before the C library is ready. */
static bool create(struct recorder *recorder) {
    char *const path = recorder->path, *end = stpcpy(path, recorder_settings.path);
    bool first = !recorder->forked, made = first && system_create(path);
    if (made || (first && (errno != EEXIST || !recorder_settings.children))) {
        return made;
    }
    *end++ = '.';
    end = put_decimal(end, (uint64_t)recorder->pid);
    *end = '\0';
    made = system_create(path);
    for (unsigned i = 1; !made && errno == EEXIST && i < NAMES_MAX; i++) {
        *end = '.';
        *put_decimal(end + 1, i) = '\0';
        made = system_create(path);
    }
    return made;
}

static void write_meta(struct recorder *recorder) {
    char text[ARGUMENTS_BYTES];
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_REALTIME, &now);
    uint8_t *at = recorder->payload;
    at = trace_put(at, (uint64_t)recorder->pid);
    at = trace_put(at, (uint64_t)getppid());
    at = trace_put(at, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
    at += output_string(at, text, system_executable(text, sizeof text));
    struct dl_find_object found;
    bool known = _dl_find_object((void *)recorder_next.malloc, &found) == 0;
    const char *allocator = known ? found.dlfo_link_map->l_name : "";
    at += output_string(at, allocator, strnlen(allocator, PATH_MAX));
    at += output_string(at, text, system_read("/proc/self/cmdline", text, sizeof text));
    output_chunk(TRACE_META, 0, recorder->payload, (size_t)(at - recorder->payload));
}

/* pre: output lock. false where there is no file to write to. */
static bool open_file(struct recorder *recorder) {
    if (recorder->opened || hak_load_relaxed(&recorder->failed)) { /* relaxed: see output_chunk */
        return recorder->opened;
    }
    if (!create(recorder)) {
        if (errno == EEXIST && !recorder_settings.children) {
            /* relaxed: an event more or less that nobody will see */
            hak_store_relaxed(&recorder->closed, 1u);
            hak_store_relaxed(&recorder->failed, 1u);
        } else {
            recorder_give_up("cannot create", recorder->path, errno);
        }
        return false;
    }
    struct trace_header header = {.version = TRACE_VERSION};
    memcpy(header.magic, TRACE_MAGIC, TRACE_MAGIC_BYTES); /* without the zero at its end */
    header.crc = crc32_add(0, &header, sizeof header - sizeof header.crc);
    if (!system_write(recorder->path, &header, sizeof header, NULL, 0)) {
        recorder_give_up("cannot write", recorder->path, errno);
        return false;
    }
    recorder->opened = true;
    write_meta(recorder);
    return true;
}

void output_open(void) {
    struct recorder *recorder = recorder_state;
    if (recorder_lock_take(&recorder->output_lock, &recorder_self)) {
        open_file(recorder);
        recorder_lock_give(&recorder->output_lock);
    }
}

void output_events(struct recorder_thread *thread) {
    struct recorder *recorder = recorder_state;
    const struct recorder_records records = recorder_records(thread);
    if (records.used == 0 || !recorder_lock_take(&recorder->output_lock, &recorder_self)) {
        return;
    }
    if (open_file(recorder)) {
        sites_write();
        uint8_t start[4 * TRACE_VARINT_MAX], *at = trace_put(trace_put(start, thread->first), records.last);
        at = trace_put(trace_put(at, records.events), system_clock_ns(false) - recorder->start_ns);
        size_t length = (size_t)(at - start);
        memcpy(recorder->payload, start, length);
        memcpy(recorder->payload + length, thread->buffer, records.used);
        output_chunk(TRACE_EVENTS, thread->number, recorder->payload, length + records.used);
    }
    recorder_set_records(thread, (struct recorder_records){0});
    recorder_lock_give(&recorder->output_lock);
}

/* A forked child that did nothing has no file. */
void output_end(enum trace_end reason) {
    struct recorder *recorder = recorder_state;
    if (!recorder_lock_take(&recorder->output_lock, &recorder_self)) {
        return;
    }
    if (recorder->opened) {
        uint64_t events = hak_load_relaxed(&recorder->events); /* relaxed: all are written by now */
        events = events < recorder_settings.limit ? events : recorder_settings.limit;
        uint8_t *at = trace_put(trace_put(recorder->payload, events), recorder->thread_count);
        at = trace_put(at, system_clock_ns(false) - recorder->start_ns);
        at = trace_put(at, (uint64_t)reason);
        output_chunk(TRACE_END, 0, recorder->payload, (size_t)(at - recorder->payload));
    }
    recorder_lock_give(&recorder->output_lock);
}
HAK_STATIC_ASSERT(RECORDER_PAYLOAD_BYTES >= RECORDER_BUFFER_BYTES + 4 * TRACE_VARINT_MAX, "a buffer fits a chunk");
HAK_STATIC_ASSERT(RECORDER_PAYLOAD_BYTES >= 2 * PATH_MAX + 2 * ARGUMENTS_BYTES, "what is said at the start fits");
