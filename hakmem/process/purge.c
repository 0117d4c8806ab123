/* SPDX-License-Identifier: MIT */
/* See purge.h: the polls. What they purge is purge_pass.h's, how much may wait is purge_bound.h's. */
#include "hakmem/process/purge.h"

#include <errno.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/observer.h"
#include "hakmem/base/options.h"
#include "hakmem/os/os.h"
#include "hakmem/process/own_thread.h"
#include "hakmem/process/purge_bound.h"
#include "hakmem/process/purge_later.h"
#include "hakmem/process/purge_pass.h"
#include "hakmem/process/purge_thread.h"
#include "hakmem/region/decay.h"

void (*hak_purge_reentry)(void);
static size_t purge_waited;     /* atomic; hak_purge_to_do_bytes when a poll last looked */
static uint32_t purge_children; /* atomic; hak_own_thread_unseen_children when observers were last told of one */

/* What a poll purges at most: as much as came since the last one, twice, so that a call pays for what it gave back itself
 * and what is too much gets less. */
#define PURGE_POLL_BYTES(came) (PURGE_PIECE_BYTES + 2 * (came))

/* Who polls: where the program's call returns to, NULL where a thread must not be begun. */
struct purge_caller {
    const void *address;
    bool is_trusted; /* also where it is not known which addresses are the C library's */
};

/* Whether a thread may be begun: the C library's own calls may come where pthread_create must not be called. Asked only where one is
 * wanted, because it is a search. */
static bool purge_may_start(const struct purge_caller *caller) {
    return caller->address != NULL &&
           ((caller->is_trusted && !hak_os_knows_c_library()) || !hak_os_is_c_library(caller->address));
}

static void purge_start_waiting(const struct purge_caller *caller) {
    if (hak_purge_later_is_due() && hak_own_thread_users() > 0 && purge_may_start(caller)) {
        hak_purge_later_start();
    }
}

static void purge_to_bound(uint64_t now, size_t most) {
    const size_t excess = hak_purge_bound_excess(now, hak_purge_in_use_bytes(), hak_purge_to_do_bytes());
    if (excess > 0) {
        hak_purge_bound_note_given(now, hak_purge_oldest(now, excess < most ? excess : most));
    }
}

/* A poll of a thread that began meanwhile may have seen that ours ran, and have left to it what is due. Whoever waited for the end of ours
 * sees here that something is due, since the poll scheduled it before, and that there are threads enough. */
void hak_purge_thread_was_ended(void) {
    const int64_t delay_ms = hak_load_relaxed(&hak_options.purge_delay_ms);
    const uint64_t now = hak_os_clock_ms();
    if (delay_ms > 0 && hak_decay_is_due() && hak_purge_to_do_bytes() > PURGE_THREAD_BYTES &&
        hak_purge_thread_start(now)) {
        return;
    }
    if (delay_ms >= 0) {
        purge_to_bound(now, SIZE_MAX);
    }
}

/* In a child that no handler of fork saw, nobody else begins again what the parent's threads did. */
static void purge_note_child(void) {
    const uint32_t children = hak_own_thread_unseen_children();
    uint32_t known = hak_load_relaxed(&purge_children);
    /* Acquire-release: one thread of the child tells. */
    if (HAK_UNLIKELY(known != children) && hak_compare_exchange_acq_rel(&purge_children, &known, children)) {
        observer_note_unseen_child();
    }
}

static void purge_poll_now(const struct purge_caller *caller) {
    purge_note_child();
    purge_start_waiting(caller);
    const int64_t delay_ms = hak_load_relaxed(&hak_options.purge_delay_ms);
    const uint64_t due = decay_due_ms();
    if (due == 0) {
        return;
    }
    if (hak_own_thread_runs(OWN_THREAD_PURGE)) {
        hak_purge_thread_nudge();
        return;
    }
    const size_t to_do = hak_purge_to_do_bytes(), waited = hak_load_relaxed(&purge_waited);
    const size_t most = PURGE_POLL_BYTES(to_do > waited ? to_do - waited : 0);
    const uint64_t now = hak_os_clock_ms();
    /* Without a delay what is freed now is due a millisecond later, for which nobody waits. */
    if (now >= due || (delay_ms == 0 && now + 1 >= due)) {
        hak_purge_aged(now, most);
    }
    /* Also where a look was due: what was too young for it would wait for a poll that may never come. */
    if (delay_ms > 0 && hak_purge_to_do_bytes() > PURGE_THREAD_BYTES && purge_may_start(caller) &&
        hak_purge_thread_start(now)) {
        return;
    }
    if (delay_ms >= 0) {
        purge_to_bound(now, most);
    }
    hak_store_relaxed(&purge_waited, hak_purge_to_do_bytes());
}

static void purge_poll_from(struct purge_caller caller) {
    const int saved_errno = errno;
    purge_poll_now(&caller);
    hak_purge_later_schedule(); /* what could not be started here waits for another poll */
    errno = saved_errno;
}

void hak_purge_poll_due(const void *caller) { purge_poll_from((struct purge_caller){caller, false}); }

void hak_purge_poll_due_alloc(const void *caller) { purge_poll_from((struct purge_caller){caller, true}); }

void hak_purge_fork_child(void) {
    hak_purge_thread_fork_child();
    hak_purge_pass_fork_child();
}
