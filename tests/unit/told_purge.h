/* SPDX-License-Identifier: MIT */
/* Purging by steps: a clock that the test tells, and in the place of the allocator's own thread the test's. So what goes back,
 * when, and what is asked of the thread are exact numbers, on any machine.
 *
 * By the linker's --wrap, so in programs of their own. One thread; each test in a process of its own. */
#ifndef TESTS_UNIT_TOLD_PURGE_H
#define TESTS_UNIT_TOLD_PURGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOLD_MIB ((size_t)1 << 20)

/* What hak_os_clock_ms says, beside what told_free sets it to. */
extern uint64_t told_now_ms;

/* The thread that purges, as purge.c and purge_thread.c of process/ see it. */
extern struct told_thread {
    int refusal;               /* what beginning one returns */
    uint64_t from_ms;          /* one may be begun from then on, where little waits */
    bool runs, is_current;     /* also set by a successful beginning */
    unsigned asked, nudged;    /* how often one was to be begun, and woken */
    unsigned left, stayed;     /* how often it said that it leaves, and asked whether it may stay */
    unsigned ends_at_look;     /* from this look on, whether it has to end, the answer is yes; 0: never */
    unsigned looks;            /* how many there were */
    bool may_stay;             /* what hak_own_thread_stay returns, once */
    void (*main)(void);        /* what was to be begun */
    void (*sleeping)(void);    /* called in each sleep, after the clock has moved on */
    void (*leaving)(void);     /* called when it has said that it leaves */
    unsigned sleeps;           /* how many, and how long the first were, ms */
    uint64_t slept_ms[16];     /* likewise */
    unsigned shortest_wake_ms; /* a sleep takes so long at most: a nudge ended it; 0: as long as was asked */
} told_thread;

/* Threads that could be idle: how often they were looked for, how often slabs of theirs are still found, and whether some are to be
 * looked for again. */
extern unsigned told_idle_looks, told_idle_batches;
extern bool told_idle_is_pending;

/* How often whoever purges slept for a fork, ms in all. */
extern uint64_t told_yielded_ms;

/* What is said of whoever polls. */
extern struct told_library {
    bool is_told;    /* else the system says */
    bool is_known;   /* which addresses are the C library's */
    bool has_caller; /* the caller's is one */
} told_library;

/* One mapping of so many bytes, of which told_free frees the next piece, from its start on. */
void told_begin(size_t bytes);
void told_free(size_t bytes);

/* The start of what was freed last. */
const void *told_last(void);

/* Leaves so many bytes out, which keeps what is freed next from being joined with what was freed before. */
void told_skip(size_t bytes);

/* A poll that may begin a thread, and one that may not. */
void told_poll(void);
void told_poll_quietly(void);

#endif
