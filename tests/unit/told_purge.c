/* SPDX-License-Identifier: MIT */
/* See told_purge.h. */
#include "tests/unit/told_purge.h"

#include "hakmem/base/config.h"
#include "hakmem/magazine/idle.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/process/own_thread.h"
#include "hakmem/process/purge.h"
#include "hakmem/region/kept.h"
#include "tests/harness/harness.h"

uint64_t told_now_ms = 1000000;
struct told_thread told_thread;
unsigned told_idle_looks, told_idle_batches;
bool told_idle_is_pending;
uint64_t told_yielded_ms;
struct told_library told_library;
static char *told_next, *told_freed;

uint64_t __wrap_hak_os_clock_ms(void);
bool __real_hak_os_is_c_library(const void *address);
bool __wrap_hak_os_is_c_library(const void *address);
bool __real_hak_os_knows_c_library(void);
bool __wrap_hak_os_knows_c_library(void);
uint64_t __wrap_hak_own_thread_from_ms(enum own_thread_kind kind);
void __wrap_hak_os_sleep_ms(uint64_t duration_ms);
bool __wrap_hak_idle_take_slabs(struct decay_pass *pass);
bool __wrap_hak_idle_is_pending(void);
void __wrap_hak_idle_note_skipped(void);
int __wrap_hak_own_thread_start(enum own_thread_kind kind, void (*main)(void));
bool __wrap_hak_own_thread_runs(enum own_thread_kind kind);
bool __wrap_hak_own_thread_is_current(void);
bool __wrap_hak_own_thread_must_end(enum own_thread_kind kind);
bool __wrap_hak_own_thread_sleep(enum own_thread_kind kind, uint64_t duration_ms);
void __wrap_hak_own_thread_nudge(enum own_thread_kind kind);
void __wrap_hak_own_thread_leave(enum own_thread_kind kind);
bool __wrap_hak_own_thread_stay(enum own_thread_kind kind);

uint64_t __wrap_hak_os_clock_ms(void) { return told_now_ms; }

void __wrap_hak_os_sleep_ms(uint64_t duration_ms) { told_yielded_ms += duration_ms; }

bool __wrap_hak_idle_take_slabs(struct decay_pass *pass) {
    told_idle_looks += !pass->has_begun_idle;
    pass->has_begun_idle = true;
    if (told_idle_batches == 0) {
        return true;
    }
    told_idle_batches--;
    return false;
}

bool __wrap_hak_idle_is_pending(void) { return told_idle_is_pending; }

void __wrap_hak_idle_note_skipped(void) { told_idle_is_pending = true; }

bool __wrap_hak_os_is_c_library(const void *address) {
    return told_library.is_told ? told_library.has_caller : __real_hak_os_is_c_library(address);
}

bool __wrap_hak_os_knows_c_library(void) {
    return told_library.is_told ? told_library.is_known : __real_hak_os_knows_c_library();
}

uint64_t __wrap_hak_own_thread_from_ms(enum own_thread_kind kind) {
    HAK_EXPECT_EQ(kind, OWN_THREAD_PURGE);
    return told_thread.from_ms;
}

int __wrap_hak_own_thread_start(enum own_thread_kind kind, void (*main)(void)) {
    HAK_EXPECT_EQ(kind, OWN_THREAD_PURGE);
    told_thread.asked++;
    told_thread.main = main;
    told_thread.runs = told_thread.refusal == 0;
    return told_thread.refusal;
}

bool __wrap_hak_own_thread_runs(enum own_thread_kind kind) { return kind == OWN_THREAD_PURGE && told_thread.runs; }

bool __wrap_hak_own_thread_is_current(void) { return told_thread.is_current; }

bool __wrap_hak_own_thread_must_end(enum own_thread_kind kind) {
    HAK_EXPECT_EQ(kind, OWN_THREAD_PURGE);
    told_thread.looks++;
    return told_thread.ends_at_look != 0 && told_thread.looks >= told_thread.ends_at_look;
}

bool __wrap_hak_own_thread_sleep(enum own_thread_kind kind, uint64_t duration_ms) {
    const unsigned most = told_thread.shortest_wake_ms;
    HAK_EXPECT_EQ(kind, OWN_THREAD_PURGE);
    if (told_thread.sleeps < sizeof told_thread.slept_ms / sizeof told_thread.slept_ms[0]) {
        told_thread.slept_ms[told_thread.sleeps] = duration_ms;
    }
    /* A thread that never ends fails its test, and does not hold it up. */
    if (++told_thread.sleeps > 1000) {
        told_thread.ends_at_look = 1;
    }
    told_now_ms += most != 0 && duration_ms > most ? most : duration_ms;
    if (told_thread.sleeping != NULL) {
        told_thread.sleeping();
    }
    return told_thread.ends_at_look == 0 || told_thread.looks + 1 < told_thread.ends_at_look;
}

void __wrap_hak_own_thread_nudge(enum own_thread_kind kind) {
    HAK_EXPECT_EQ(kind, OWN_THREAD_PURGE);
    told_thread.nudged++;
}

void __wrap_hak_own_thread_leave(enum own_thread_kind kind) {
    HAK_EXPECT_EQ(kind, OWN_THREAD_PURGE);
    told_thread.left++;
    told_thread.runs = false;
    if (told_thread.leaving != NULL) {
        told_thread.leaving();
    }
}

bool __wrap_hak_own_thread_stay(enum own_thread_kind kind) {
    const bool may_stay = told_thread.may_stay;
    HAK_EXPECT_EQ(kind, OWN_THREAD_PURGE);
    told_thread.stayed++;
    told_thread.may_stay = false;
    told_thread.runs |= may_stay;
    return may_stay;
}

void told_begin(size_t bytes) {
    void *start = NULL;
    bool zeroed = false;
    hak_process_begin();
    HAK_EXPECT_EQ(hak_kept_alloc(bytes, HAK_CHUNK_BYTES, &start, &zeroed), 0);
    told_next = (char *)start;
}

void told_free(size_t bytes) {
    hak_kept_free(told_next, bytes);
    told_freed = told_next;
    told_next += bytes;
}

const void *told_last(void) { return told_freed; }

void told_skip(size_t bytes) { told_next += bytes; }

void told_poll(void) { hak_purge_poll_due((const void *)(uintptr_t)&told_begin); }

void told_poll_quietly(void) { hak_purge_poll_due(NULL); }
