/* SPDX-License-Identifier: MIT */
/* See purge_share.h. */
#include "hakmem/process/purge_share.h"

static size_t share_most(const struct purge_share *share) {
    return share->most[0] > share->most[1] ? share->most[0] : share->most[1];
}

/* What may wait beside the most that was in use. */
static size_t share_may_wait(const struct purge_share *share) {
    const size_t bytes = share_most(share) / PURGE_SHARE;
    return bytes > PURGE_SHARE_LEAST ? bytes : PURGE_SHARE_LEAST;
}

static void share_age(struct purge_share *share, uint64_t now_ms, uint64_t delay_ms, size_t in_use) {
    if (now_ms - share->period_ms > delay_ms) {
        share->most[1] = now_ms - share->period_ms > 2 * delay_ms ? 0 : share->most[0];
        share->most[0] = 0;
        share->period_ms = now_ms;
    }
    if (share->most[0] < in_use) {
        share->most[0] = in_use;
    }
}

static void share_allow(struct purge_share *share, uint64_t now_ms) {
    const size_t most = share_most(share) > PURGE_SHARE_LEAST ? share_most(share) : PURGE_SHARE_LEAST;
    const size_t a_ms =
        most / PURGE_SHARE_PER_MS_OF > PURGE_SHARE_PER_MS ? most / PURGE_SHARE_PER_MS_OF : PURGE_SHARE_PER_MS;
    const size_t lacks = share->allowance < most ? most - share->allowance : 0;
    const uint64_t passed = now_ms - share->allowed_ms;
    share->allowed_ms = now_ms;
    share->allowance = passed > lacks / a_ms ? most : share->allowance + (size_t)passed * a_ms;
}

void hak_purge_share_begin(struct purge_share *share, uint64_t now_ms, size_t committed) {
    share->most[0] = committed;
    share->most[1] = 0;
    share->period_ms = now_ms;
    share_allow(share, now_ms);
}

size_t hak_purge_share_excess(struct purge_share *share, uint64_t now_ms, uint64_t delay_ms, size_t in_use,
                              size_t waiting) {
    share_age(share, now_ms, delay_ms, in_use);
    share_allow(share, now_ms);
    const size_t may_wait = share_may_wait(share), committed = in_use + waiting;
    if (committed <= share_most(share) + may_wait) {
        return 0;
    }
    /* A quarter more, so that not every look finds something. */
    size_t excess = committed - (share_most(share) + may_wait - may_wait / 4);
    excess = excess < waiting ? excess : waiting;
    excess = excess < share->allowance ? excess : share->allowance;
    return excess < PURGE_SHARE_PASS ? 0 : excess;
}

void hak_purge_share_spend(struct purge_share *share, size_t bytes) {
    share->allowance = share->allowance > bytes ? share->allowance - bytes : 0;
}

size_t hak_purge_share_look_at(const struct purge_share *share, size_t committed) {
    if (share->allowance < PURGE_SHARE_PASS) {
        return SIZE_MAX;
    }
    /* Where the system took less than was too much, not before as much again came. */
    const size_t bound = share_most(share) + share_may_wait(share), later = committed + share_may_wait(share) / 4;
    return committed > bound ? later : bound;
}
