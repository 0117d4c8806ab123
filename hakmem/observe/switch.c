/* SPDX-License-Identifier: MIT */
/* See switch.h. */
#include "hakmem/observe/switch.h"

#include <errno.h>

#include "hakmem/flags/guard.h"
#include "hakmem/observe/profile_page.h"
#include "hakmem/sample/profile.h"

HAK_STATIC_ASSERT(PROFILE_RATE_MAX < PUBLISH_WANTED_RATE_MASK, "every rate fits");

static uint64_t switch_dealt_with; /* the publishing thread; what it found wanted last */

static uint64_t switch_state(void) {
    const struct hak_profile_table *table = hak_profile_table();
    /* Relaxed: only the state is looked at, and the program may change it at any time. */
    const bool is_on = hak_load_relaxed(&hak_sampling_state) == SAMPLING_ON;
    const uint64_t rate = table != NULL ? hak_load_relaxed(&table->rate) : 0;
    const uint64_t state = HAK_GUARD_FULL ? PUBLISH_PROFILE_NONE : is_on ? PUBLISH_PROFILE_ON : PUBLISH_PROFILE_OFF;
    return rate << PUBLISH_PROFILE_SHIFT | state;
}

/* Of a profile that is on: nothing changes if no tool can read it. */
static int switch_rate(uint64_t rate) {
    hak_profile_show_whole(); /* makes the file where it could not be made before; the same rate would show nothing */
    const int problem = hak_profile_page_problem();
    return problem != 0 ? problem : hak_profile_turn_on(rate);
}

/* A profile that no tool can read is of no use to who switched it on. */
static int switch_on(uint64_t rate) {
    if (rate > PROFILE_RATE_MAX) {
        return EINVAL;
    }
    hak_profile_page_try_again();
    if (sampling_is_on()) {
        return switch_rate(rate);
    }
    const int error = hak_profile_turn_on(rate);
    const int problem = error != 0 ? error : hak_profile_page_problem();
    if (error == 0 && problem != 0) {
        hak_profile_turn_off();
    }
    return problem;
}

static int switch_to(uint64_t wanted) {
    const uint64_t rate = wanted & PUBLISH_WANTED_RATE_MASK;
    if (rate == 0) {
        hak_profile_turn_off();
        return HAK_GUARD_FULL ? ENOTSUP : 0;
    }
    return switch_on(rate);
}

void hak_switch_begin(struct publish_page *page) {
    switch_dealt_with = 0;
    /* Release: the page is whole for a tool that finds that it can be switched. */
    hak_store_release(&page->profile, switch_state());
}

void hak_switch_answer(struct publish_page *page) {
    /* Acquire needs no partner: the word is all that a tool stores. It is read once: whoever writes it may do so at any time. */
    const uint64_t wanted = hak_load_acquire(&page->wanted);
    if (wanted == switch_dealt_with) {
        hak_store_relaxed(&page->profile, switch_state()); /* the program may have switched it */
        return;
    }
    switch_dealt_with = wanted;
    const int error = switch_to(wanted);
    /* Release, both last: a tool that finds its word reads what came of it, which is stored before. */
    hak_store_relaxed(&page->refused, (uint64_t)error);
    hak_store_release(&page->profile, switch_state());
    hak_store_release(&page->switched, wanted);
}
