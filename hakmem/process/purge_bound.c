/* SPDX-License-Identifier: MIT */
/* See purge_bound.h. */
#include "hakmem/process/purge_bound.h"

#include "hakmem/base/atomic.h"
#include "hakmem/base/options.h"
#include "hakmem/region/held.h"
#include "hakmem/region/kept.h"
#include "hakmem/region/region.h"

/* The least bound, and above how much what is in use counts. Atomic, relaxed: written where the process has one thread. */
static size_t purge_least = PURGE_BOUND_BYTES;
static size_t purge_counts_above;

/* All atomic, relaxed: hints. */
static struct {
    size_t may_wait;
    size_t given, level;
    uint64_t given_at_ms;
} purge_learned;

static size_t purge_committed_bytes(void) {
    return hak_held_bytes() + hak_region_dirty_bytes() + hak_kept_dirty_bytes();
}

static void purge_learn(uint64_t now, size_t bound, size_t in_use) {
    const size_t given = hak_load_relaxed(&purge_learned.given);
    if (given == 0) {
        return;
    }
    if (now - hak_load_relaxed(&purge_learned.given_at_ms) > (uint64_t)hak_load_relaxed(&hak_options.purge_delay_ms)) {
        hak_store_relaxed(&purge_learned.given, (size_t)0);
    } else if (purge_committed_bytes() > hak_load_relaxed(&purge_learned.level) + given / 2) {
        const size_t most = 2 * in_use > PURGE_LEARNED_BYTES ? 2 * in_use : PURGE_LEARNED_BYTES;
        const size_t wanted = bound + (given > bound ? given : bound);
        hak_store_relaxed(&purge_learned.may_wait, wanted < most ? wanted : most);
        hak_store_relaxed(&purge_learned.given, (size_t)0);
    }
}

void hak_purge_bound_unlearn(size_t aged) {
    const size_t may_wait = hak_load_relaxed(&purge_learned.may_wait);
    if (aged > may_wait / 4) {
        hak_store_relaxed(&purge_learned.may_wait, may_wait / 2);
    }
}

void hak_purge_bound_note_given(uint64_t now, size_t bytes) {
    if (bytes > 0) {
        /* One giving goes over several polls, and ends where something is taken again: else a program of which much goes and comes would
         * have to take half of all that ever went, at once. */
        const size_t given = hak_load_relaxed(&purge_learned.given), level = purge_committed_bytes();
        const bool is_another = level + bytes > hak_load_relaxed(&purge_learned.level) + given / 8;
        hak_store_relaxed(&purge_learned.given, is_another ? bytes : given + bytes);
        hak_store_relaxed(&purge_learned.level, level);
        hak_store_relaxed(&purge_learned.given_at_ms, now);
    }
}

size_t hak_purge_bound_excess(uint64_t now, size_t in_use, size_t to_do) {
    const size_t least = hak_load_relaxed(&purge_least), above = hak_load_relaxed(&purge_counts_above);
    size_t bound = in_use > least && in_use > above ? in_use : least;
    const size_t may_wait = hak_load_relaxed(&purge_learned.may_wait);
    bound = may_wait > bound ? may_wait : bound;
    purge_learn(now, bound, in_use);
    return to_do > bound ? to_do - (bound - bound / 4) : 0;
}

void hak_purge_bound_fork_child(void) {
    hak_store_relaxed(&purge_least, PURGE_BOUND_CHILD_BYTES);
    hak_store_relaxed(&purge_counts_above, PURGE_BOUND_CHILD_ABOVE);
    hak_store_relaxed(&purge_learned.may_wait, (size_t)0);
    hak_store_relaxed(&purge_learned.given, (size_t)0);
}
