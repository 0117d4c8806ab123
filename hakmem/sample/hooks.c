/* SPDX-License-Identifier: MIT */
/* See hooks.h. One word says whether there are hooks and how many threads are in one, so that a thread that takes them away
 * misses none that entered before: each step on the word comes before or after every other. */
#include "hakmem/sample/hooks.h"

#include <errno.h>

#include "hakmem/flags/guard.h"
#include "hakmem/hakmem.h"
#include "hakmem/os/os.h"
#include "hakmem/sample/profile.h"

uint32_t hak_hooks_state;
static struct hak_profile_hooks hooks_kept; /* written with HOOKS_CHANGING, read by threads that are in a hook */

static HAK_THREAD_LOCAL bool hooks_is_inside;   /* this thread is in a hook */
static HAK_THREAD_LOCAL bool hooks_is_changing; /* HOOKS_CHANGING is this thread's */

/* false: there are no hooks. */
static bool hooks_enter(void) {
    uint32_t state = hak_load_relaxed(&hak_hooks_state);
    do {
        if ((state & HOOKS_SET) == 0) {
            return false;
        }
        /* Acquire: pairs with the release of hooks_end_change; hooks_kept is written. */
    } while (!hak_compare_exchange_acq_rel(&hak_hooks_state, &state, state + HOOKS_ONE));
    return true;
}

static void hooks_leave(void) {
    /* Release: pairs with the acquire of hooks_begin_change; the hook has returned. */
    const uint32_t state = hak_fetch_add_acq_rel(&hak_hooks_state, -HOOKS_ONE) - HOOKS_ONE;
    if (HAK_UNLIKELY(state == HOOKS_CHANGING)) {
        hak_os_wake(&hak_hooks_state);
    }
}

/* What the hook allocates is no part of the call that led here, and is not told: it would go on for ever. */
static void hooks_call(hak_profile_hook hook, const struct hak_profile_sample *sample, void *argument) {
    const void *site = hak_profile_site;
    const int saved_errno = errno;
    hak_profile_site = NULL;
    hooks_is_inside = true;
    hook(sample, argument);
    hooks_is_inside = false;
    hak_profile_site = site;
    errno = saved_errno;
}

static void hooks_tell(const void *p, bool is_freed) {
    struct hak_profile_sample sample;
    if (p == NULL || hooks_is_inside || !hak_profile_describe(p, &sample) || !hooks_enter()) {
        return;
    }
    const hak_profile_hook hook = is_freed ? hooks_kept.freed : hooks_kept.sampled;
    if (hook != NULL) {
        hooks_call(hook, &sample, hooks_kept.argument);
    }
    hooks_leave();
}

void hak_hooks_tell_sampled(const void *p) { hooks_tell(p, false); }

void hak_hooks_tell_freed(const void *p) { hooks_tell(p, true); }

/* From here on no thread enters a hook, and none is in one. */
static void hooks_begin_change(void) {
    uint32_t state = hak_load_relaxed(&hak_hooks_state);
    hooks_is_changing = true;
    for (;;) {
        if ((state & HOOKS_CHANGING) != 0) {
            hak_os_wait(&hak_hooks_state, state, -1);
            state = hak_load_relaxed(&hak_hooks_state);
            /* Acquire: pairs with the release of hooks_end_change, of another thread that changed them before. */
        } else if (hak_compare_exchange_acq_rel(&hak_hooks_state, &state, (state & ~HOOKS_SET) | HOOKS_CHANGING)) {
            break;
        }
    }
    /* Acquire: pairs with the release of hooks_leave. */
    while ((state = hak_load_acquire(&hak_hooks_state)) != HOOKS_CHANGING) {
        hak_os_wait(&hak_hooks_state, state, -1);
    }
}

static void hooks_end_change(bool are_set) {
    /* Release: pairs with the acquire of hooks_enter. */
    hak_store_release(&hak_hooks_state, are_set ? HOOKS_SET : 0u);
    hooks_is_changing = false;
    hak_os_wake(&hak_hooks_state); /* other threads that want to change them */
}

int hak_profile_set_hooks(const struct hak_profile_hooks *hooks) {
    if (HAK_GUARD_FULL) {
        return ENOTSUP;
    }
    if (hooks != NULL && hooks->sampled == NULL && hooks->freed == NULL) {
        return EINVAL;
    }
    if (hooks_is_inside || hooks_is_changing) {
        return EDEADLK;
    }
    hooks_begin_change();
    hooks_kept = hooks != NULL ? *hooks : (struct hak_profile_hooks){.sampled = NULL};
    hooks_end_change(hooks != NULL);
    return 0;
}

/* A change by a thread that the child does not have had taken the hooks away, and so it stays. */
void hak_hooks_fork_child(void) {
    /* Relaxed, both: there is no other thread. */
    const uint32_t state = hak_load_relaxed(&hak_hooks_state);
    hak_store_relaxed(&hak_hooks_state, (state & HOOKS_SET) | (hooks_is_changing ? HOOKS_CHANGING : 0u) |
                                            (hooks_is_inside ? HOOKS_ONE : 0u));
}
