/* SPDX-License-Identifier: MIT */
/* The buffers: one for each thread, in a list for the flush of all, reused when a thread has ended.
 *
 * Threads are numbered in the order of their first events. The destructor of a thread-specific value reports the end
 * of a thread, in the last round of destructors. What the thread still frees after that, in other destructors and in
 * the C library, takes a buffer for one event at a time. */
#include "bench/trace/recorder.h"

/* pre: registry lock. */
static struct recorder_thread *take_buffer(struct recorder *recorder) {
    struct recorder_thread *thread = recorder->idle;
    if (thread != NULL) {
        recorder->idle = thread->next_idle;
        return thread;
    }
    thread = system_pages(sizeof *thread, true);
    if (thread != NULL) {
        thread->next = recorder->threads;
        recorder->threads = thread;
    }
    return thread;
}

/* NULL where there is no memory. Whoever closes the trace and flushes all either finds the new buffer in the list, or
 * has taken the registry's lock before: then events_add sees that the trace is closed. */
static struct recorder_thread *attach(void) {
    struct recorder *recorder = recorder_state;
    struct recorder_thread *thread = NULL;
    if (!recorder_lock_take(&recorder->registry_lock, &recorder_self)) {
        return NULL;
    }
    bool may = recorder_self.numbered || recorder->thread_count < TRACE_THREADS_MAX;
    if (may) {
        thread = take_buffer(recorder);
    }
    if (thread != NULL && !recorder_self.numbered) {
        recorder_self.number = recorder->thread_count++;
        recorder_self.numbered = true;
    }
    recorder_lock_give(&recorder->registry_lock);
    if (thread == NULL) {
        return NULL;
    }
    recorder_lock_take(&thread->lock, &recorder_self);
    thread->number = recorder_self.number;
    thread->until_clock = 0;
    recorder_lock_give(&thread->lock);
    recorder_self.thread = thread;
    return thread;
}

struct recorder_thread *threads_mine(void) {
    if (recorder_self.thread != NULL) {
        return recorder_self.thread;
    }
    struct recorder_thread *thread = attach();
    if (thread != NULL && !recorder_self.ended && recorder_settings.have_key) {
        /* May allocate, for the first of a thread's many values: `inside` keeps that out of the trace. */
        pthread_setspecific(recorder_settings.key, &recorder_self);
    }
    return thread;
}

void threads_release(void) {
    struct recorder *recorder = recorder_state;
    struct recorder_thread *thread = recorder_self.thread;
    if (thread == NULL || !recorder_lock_take(&thread->lock, &recorder_self)) {
        return;
    }
    output_events(thread);
    recorder_lock_give(&thread->lock);
    recorder_self.thread = NULL;
    if (recorder_lock_take(&recorder->registry_lock, &recorder_self)) {
        thread->next_idle = recorder->idle;
        recorder->idle = thread;
        recorder_lock_give(&recorder->registry_lock);
    }
}

void threads_flush_all(void) {
    struct recorder *recorder = recorder_state;
    if (!recorder_lock_take(&recorder->registry_lock, &recorder_self)) {
        return;
    }
    for (struct recorder_thread *thread = recorder->threads; thread != NULL; thread = thread->next) {
        /* A lock that this thread holds already: a signal's handler ends the process in the middle of an event. The
         * records before that one are whole. */
        bool taken = recorder_lock_take(&thread->lock, &recorder_self);
        output_events(thread);
        if (taken) {
            recorder_lock_give(&thread->lock);
        }
    }
    recorder_lock_give(&recorder->registry_lock);
}

void threads_destructor(void *unused) {
    (void)unused;
    if (++recorder_self.destructions < PTHREAD_DESTRUCTOR_ITERATIONS) {
        pthread_setspecific(recorder_settings.key, &recorder_self);
        return;
    }
    if (!recorder_enter()) {
        return;
    }
    recorder_self.ended = true; /* events_add gives the buffer back */
    events_add(&(struct recorder_event){.kind = TRACE_THREAD_END});
    recorder_leave();
}
