/* SPDX-License-Identifier: MIT */
/* Numbers an event and writes its record into the calling thread's buffer. Called by the wrappers, between
 * recorder_enter and recorder_leave. */
#include "bench/trace/recorder.h"

/* How often a thread looks at the clock, in events, and how long its records wait for a full buffer at most: what a
 * killed program leaves is complete up to there. A thread that does nothing has nothing to write. */
#define EVENTS_A_LOOK 256
#define FLUSH_NS UINT64_C(1000000000)

static uint8_t *put_age(uint8_t *at, const struct recorder_event *event, uint64_t number) {
    return trace_put(at, event->block == 0 ? 0 : number - event->block);
}

/* pre: the buffer's lock is held and it has room for a record. What the buffer holds changes last: a signal's handler that writes it out
 * finds whole records. */
static void append(struct recorder_thread *thread, const struct recorder_event *event, uint64_t number, uint32_t site) {
    const struct recorder_records before = recorder_records(thread);
    uint8_t *const start = thread->buffer + before.used, *at = start + 1;
    *start = (uint8_t)event->kind;
    if (before.used == 0) {
        thread->first = number;
        thread->site = 0;
    }
    if (before.used == 0 || number == before.last + 1) {
        *start |= TRACE_NEXT_NUMBER;
    } else {
        at = trace_put(at, number - before.last);
    }
    if (event->has_age) {
        at = put_age(at, event, number);
    }
    for (unsigned i = 0; i < event->numbers; i++) {
        at = trace_put(at, event->number[i]);
    }
    if (event->has_site) {
        if (site == thread->site) {
            *start |= TRACE_SAME_SITE;
        } else {
            at = trace_put(at, site);
            thread->site = site;
        }
    }
    recorder_set_records(thread,
                         (struct recorder_records){
                             .last = number, .used = (uint32_t)(at - thread->buffer), .events = before.events + 1});
}

/* true where a second has passed since all buffers were written: for one thread, that does it. */
static bool flush_is_due(struct recorder *recorder) {
    uint64_t now = system_clock_ns(true);
    uint64_t last = hak_load_relaxed(&recorder->flush_ns); /* relaxed: the exchange decides */
    return now - last > FLUSH_NS && hak_compare_exchange_acq_rel(&recorder->flush_ns, &last, now);
}

uint64_t events_add(const struct recorder_event *event) {
    struct recorder *recorder = recorder_state;
    uint32_t site = event->has_site ? sites_index(event->caller) : 0;
    struct recorder_thread *thread = threads_mine();
    if (thread == NULL || !recorder_lock_take(&thread->lock, &recorder_self)) {
        return 0;
    }
    /* relaxed: whoever closes takes this lock after it has set the flag */
    if (hak_load_relaxed(&recorder->closed)) {
        recorder_lock_give(&thread->lock);
        return 0;
    }
    bool full = recorder_records(thread).used + TRACE_RECORD_MAX > sizeof thread->buffer;
    if (full) {
        output_events(thread);
    }
    /* relaxed: recorder.h says why the increments agree with what the program did */
    uint64_t number = hak_fetch_add_relaxed(&recorder->events, 1) + 1;
    bool beyond = number > recorder_settings.limit;
    if (!beyond) {
        append(thread, event, number, site);
    }
    bool look = thread->until_clock == 0;
    thread->until_clock = look ? EVENTS_A_LOOK : thread->until_clock - 1;
    recorder_lock_give(&thread->lock);
    if (beyond) {
        recorder_close(TRACE_END_LIMIT);
        return 0;
    }
    /* The buffers of threads that rarely allocate go with those of the busy ones. */
    if (full || (look && flush_is_due(recorder))) {
        threads_flush_all();
    }
    if (recorder_self.ended) {
        threads_release();
    }
    return number;
}
