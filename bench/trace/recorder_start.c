/* SPDX-License-Identifier: MIT */
/* The first call in a process sets the recorder up; the end of the process closes the trace.
 *
 * The first call may come before the C library is ready, so the environment is read by the constructor, which runs
 * after the C library's. Until then events wait in their buffers. A forked child comes through the first call again:
 * it finds its state wiped, the settings kept. */
#include "bench/trace/recorder.h"

#include "bench/trace/crc32.h"
#include "bench/trace/recorder_next.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ".PID.N" behind the path. */
#define SUFFIX_MAX 32

struct recorder *recorder_state;
struct recorder_settings recorder_settings = {.limit = UINT64_MAX, .children = true};
HAK_THREAD_LOCAL struct recorder_self recorder_self;

/* Not part of the state: it guards its making, when there is but one thread or, in a forked child, again one. */
static struct recorder_lock start_lock;

static void set_up(struct recorder *recorder, bool forked) {
    /* What this thread knows of itself is of the process before the fork, if any. */
    recorder_self = (struct recorder_self){.inside = true};
    recorder->pid = system_pid();
    recorder->forked = forked;
    recorder->start_ns = system_clock_ns(false);
    recorder->flush_ns = system_clock_ns(true);
    /* A child of a process that was not recorded is not recorded either. */
    recorder->closed = forked && (!recorder_settings.children || recorder_settings.path[0] == '\0');
    if (!forked) {
        crc32_start();
        recorder_settings.have_key = pthread_key_create(&recorder_settings.key, threads_destructor) == 0;
    }
}

/* pre: `inside` is set. */
static HAK_COLD bool start(void) {
    recorder_lock_take(&start_lock, &recorder_self);
    struct recorder *recorder = recorder_state;
    bool first = recorder == NULL;
    if (first) {
        recorder = system_pages(sizeof *recorder, true);
    }
    if (recorder == NULL) {
        system_say("no memory to record with", "", errno);
        abort(); /* a trace that lacks the start is of no use, and the program has hardly begun */
    }
    if (!hak_load_relaxed(&recorder->ready)) { /* relaxed: the lock orders it */
        set_up(recorder, !first);
        hak_store_release(&recorder->ready, 1u); /* release: what set_up wrote */
    }
    hak_store_release(&recorder_state, recorder); /* release: likewise */
    recorder_lock_give(&start_lock);
    return true;
}

bool recorder_enter(void) {
    if (recorder_self.inside) {
        return false;
    }
    recorder_self.inside = true;
    struct recorder *recorder = hak_load_acquire(&recorder_state); /* acquire: what set_up wrote, here and below */
    if (recorder == NULL || !hak_load_acquire(&recorder->ready)) {
        start();
        recorder = recorder_state;
    }
    /* relaxed: events_add looks again, under a lock */
    recorder_self.inside = !hak_load_relaxed(&recorder->closed);
    return recorder_self.inside;
}

void recorder_give_up(const char *what, const char *of, int error) {
    /* acq_rel: only to be one who says it */
    uint32_t said = 0;
    if (hak_compare_exchange_acq_rel(&recorder_state->failed, &said, 1u)) {
        hak_store_relaxed(&recorder_state->closed, 1u); /* relaxed: an event more or less in a cut trace */
        system_say(what, of, error);
    }
}

/* true where a signal's handler has interrupted this thread in the middle of an event. */
static bool is_interrupted(const struct recorder *recorder) {
    const uintptr_t self = (uintptr_t)&recorder_self;
    const struct recorder_thread *mine = recorder_self.thread;
    /* relaxed: only this thread could have written what is looked for */
    return hak_load_relaxed(&recorder->registry_lock.owner) == self ||
           hak_load_relaxed(&recorder->output_lock.owner) == self ||
           hak_load_relaxed(&recorder->sites_lock.owner) == self ||
           (mine != NULL && hak_load_relaxed(&mine->lock.owner) == self);
}

bool recorder_close(enum trace_end reason) {
    struct recorder *recorder = hak_load_acquire(&recorder_state); /* acquire: as in recorder_enter */
    if (recorder == NULL || !hak_load_acquire(&recorder->ready) || recorder->pid != system_pid()) {
        return false;
    }
    bool interrupted = is_interrupted(recorder);
    if (interrupted && reason == TRACE_END_EXEC) {
        return false; /* the exec may fail, and the event go on */
    }
    uint32_t open = 0;
    if (!hak_compare_exchange_acq_rel(&recorder->closed, &open, 1u)) { /* before all locks are taken in turn */
        return false;
    }
    bool was_inside = recorder_self.inside;
    recorder_self.inside = true;
    threads_flush_all();
    if (!interrupted) { /* else a number is given out that no record has: the trace is cut here */
        output_end(reason);
    }
    recorder_self.inside = was_inside;
    return true;
}

void recorder_reopen(void) { hak_store_relaxed(&recorder_state->closed, 0u); /* relaxed: no thread waits for it */ }

/* The whole of `text` as a decimal number; false where it is none. */
static bool parse_count(const char *text, uint64_t *count) {
    char *end = NULL;
    errno = 0;
    *count = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

static const char *read_settings(void) {
    const char *path = getenv("HAKTRACE_FILE"), *limit = getenv("HAKTRACE_LIMIT"), *frames = getenv("HAKTRACE_FRAMES");
    if (path == NULL || path[0] != '/' || strlen(path) > sizeof recorder_settings.path - SUFFIX_MAX) {
        return "HAKTRACE_FILE is not an absolute path: nothing is recorded";
    }
    if (limit != NULL && !parse_count(limit, &recorder_settings.limit)) {
        return "HAKTRACE_LIMIT is not a number: nothing is recorded";
    }
    if (frames != NULL &&
        (!parse_count(frames, &recorder_settings.frames) || recorder_settings.frames > TRACE_FRAMES_MAX)) {
        return "HAKTRACE_FRAMES is not a number from 0 to 32: nothing is recorded";
    }
    const char *children = getenv("HAKTRACE_CHILDREN");
    recorder_settings.children = children == NULL || strcmp(children, "0") != 0;
    strcpy(recorder_settings.path, path); /* fits: its length was looked at */
    return NULL;
}

static void close_at_exit(void) { recorder_close(TRACE_END_EXIT); }

__attribute__((constructor)) static void constructor(void) {
    int error = errno;
    if (!next_find() || !recorder_enter()) {
        return;
    }
    const char *defect = read_settings();
    if (defect != NULL) {
        recorder_give_up(defect, "", 0);
    } else {
        output_open(); /* also where no memory is ever asked for */
    }
    at_quick_exit(close_at_exit);
    recorder_leave();
    errno = error;
}

/* Of the first library that was initialised, after the C library's: the last to run. */
__attribute__((destructor)) static void destructor(void) { close_at_exit(); }
