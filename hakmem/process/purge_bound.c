/* SPDX-License-Identifier: MIT */
/* See purge_bound.h. docs/decisions/017-what-may-wait.md has the figures. */
#include "hakmem/process/purge_bound.h"

#include "hakmem/base/atomic.h"
#include "hakmem/base/options.h"
#include "hakmem/region/held.h"
#include "hakmem/region/kept.h"
#include "hakmem/region/region.h"
#include "hakmem/slab/partial.h"

/* What may wait, of the most that was in use lately. */
#define BOUND_SHARE 8

/* How often the limit of a period is halved at first, since programs that change their sizes very fast often end soon, and at
 * most. */
#define BOUND_HALVES_FIRST 2
#define BOUND_HALVES_MOST 3

/* Atomic, relaxed, as all below. */
static struct {
    uint64_t since_ms;   /* when this period began; it lasts a delay */
    size_t peak, before; /* the most that was in use in this period, and in the one before */
    size_t given;        /* in this period */
    unsigned halves;     /* as much may be given in a period as was in use, halved so often */
} bound_period = {.halves = BOUND_HALVES_FIRST};

/* What the program has shown that it takes back at once, bytes, and how that is found out: what was given back as too much,
 * when, and how much was in the allocator's hands then. A program that takes half of it again within the delay loses more
 * by the page faults than the memory is worth, and may keep twice as much from then on. */
static struct {
    size_t may_wait;
    size_t given, level;
    uint64_t given_at_ms;
} bound_learned;

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* Relaxed: see options.h. */
static uint64_t bound_delay_ms(void) { return (uint64_t)hak_load_relaxed(&hak_options.purge_delay_ms); }

static size_t bound_committed_bytes(void) {
    return hak_held_bytes() + hak_region_dirty_bytes() + hak_kept_dirty_bytes();
}

/* What is held without the free blocks of slabs that nobody owns, whether they wait or were purged. */
static size_t bound_in_use_bytes(void) {
    const size_t held = hak_held_bytes(), free = hak_partial_unpurged_bytes() + hak_partial_purged_bytes();
    return held > free ? held - free : 0;
}

/* ---- Beside what was in use lately ---- */

static size_t bound_period_limit(size_t peak) { return peak >> hak_load_relaxed(&bound_period.halves); }

/* Half of a limit that was reached, and twice of one of which less than half was needed. */
static void bound_begin_period(uint64_t now_ms) {
    const size_t peak = hak_load_relaxed(&bound_period.peak), given = hak_load_relaxed(&bound_period.given);
    const size_t limit = bound_period_limit(peak);
    const unsigned halves = hak_load_relaxed(&bound_period.halves);
    if (given > 0 && given >= limit && halves < BOUND_HALVES_MOST) {
        hak_store_relaxed(&bound_period.halves, halves + 1);
    } else if (given < limit / 2 && halves > 0) {
        hak_store_relaxed(&bound_period.halves, halves - 1);
    }
    hak_store_relaxed(&bound_period.before, peak);
    hak_store_relaxed(&bound_period.peak, (size_t)0);
    hak_store_relaxed(&bound_period.given, (size_t)0);
    hak_store_relaxed(&bound_period.since_ms, now_ms);
}

/* The most that was in use within the last delay, and up to one more. */
static size_t bound_note_in_use(uint64_t now_ms, size_t in_use) {
    if (now_ms - hak_load_relaxed(&bound_period.since_ms) > bound_delay_ms()) {
        bound_begin_period(now_ms);
    }
    size_t peak = hak_load_relaxed(&bound_period.peak);
    if (in_use > peak) {
        peak = in_use;
        hak_store_relaxed(&bound_period.peak, peak);
    }
    return larger(peak, hak_load_relaxed(&bound_period.before));
}

static size_t bound_excess_of_peak(uint64_t now_ms, size_t to_do, size_t in_use) {
    const size_t peak = bound_note_in_use(now_ms, in_use);
    const size_t share = larger(peak / BOUND_SHARE, BOUND_SHARE_BYTES), bound = peak - in_use + share;
    const bool may_give = hak_load_relaxed(&bound_period.given) < bound_period_limit(peak);
    return to_do > bound && may_give ? to_do - (bound - share / 4) : 0;
}

/* ---- Without a thread ---- */

static void bound_learn(uint64_t now_ms, size_t bound, size_t in_use) {
    const size_t given = hak_load_relaxed(&bound_learned.given);
    if (given == 0) {
        return;
    }
    if (now_ms - hak_load_relaxed(&bound_learned.given_at_ms) > bound_delay_ms()) {
        hak_store_relaxed(&bound_learned.given, (size_t)0);
    } else if (bound_committed_bytes() > hak_load_relaxed(&bound_learned.level) + given / 2) {
        const size_t most = larger(2 * in_use, BOUND_LEARNED_BYTES);
        hak_store_relaxed(&bound_learned.may_wait, 2 * bound < most ? 2 * bound : most);
        hak_store_relaxed(&bound_learned.given, (size_t)0);
    }
}

static size_t bound_excess_alone(uint64_t now_ms, size_t to_do, size_t in_use) {
    const size_t may_wait = hak_load_relaxed(&bound_learned.may_wait);
    const size_t bound = larger(larger(in_use, BOUND_ALONE_BYTES), may_wait);
    bound_learn(now_ms, bound, in_use);
    return to_do > bound ? to_do - (bound - bound / 4) : 0;
}

void hak_bound_note_aged(size_t bytes) {
    const size_t may_wait = hak_load_relaxed(&bound_learned.may_wait);
    if (bytes > may_wait / 4) {
        hak_store_relaxed(&bound_learned.may_wait, may_wait / 2);
    }
}

/* ---- Both ---- */

size_t hak_bound_excess(uint64_t now_ms, size_t to_do, bool has_thread) {
    const size_t in_use = bound_in_use_bytes();
    const size_t excess = bound_excess_of_peak(now_ms, to_do, in_use);
    return has_thread ? excess : larger(excess, bound_excess_alone(now_ms, to_do, in_use));
}

void hak_bound_note_given(uint64_t now_ms, size_t bytes) {
    if (bytes > 0) {
        hak_fetch_add_relaxed(&bound_period.given, bytes);
        hak_store_relaxed(&bound_learned.given, hak_load_relaxed(&bound_learned.given) + bytes);
        hak_store_relaxed(&bound_learned.level, bound_committed_bytes());
        hak_store_relaxed(&bound_learned.given_at_ms, now_ms);
    }
}
