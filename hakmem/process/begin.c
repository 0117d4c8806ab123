/* SPDX-License-Identifier: MIT */
/* See begin.h.
 *
 * Not pthread_once: a function of the C library that is called in here may have been replaced by one that allocates, and
 * so come back; the thread that initialises then goes on with what is there, others wait. The page map comes first, by
 * system calls only, so that no region is made before it; without the key no thread begins, and calls from within are
 * served one by one (shared.h). */
#include "hakmem/process/begin.h"

#include "hakmem/base/atomic.h"
#include "hakmem/base/options.h"
#include "hakmem/guard/metadata.h"
#include "hakmem/ladder/learn.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/os/os.h"
#include "hakmem/process/own_thread.h"
#include "hakmem/process/purge.h"
#include "hakmem/process/sanitizer.h"
#include "hakmem/region/node.h"
#include "hakmem/region/page_map.h"
#include "hakmem/region/place.h"
#include "hakmem/sample/profile.h"
#include "hakmem/shadow/shadow.h"

enum { PROCESS_NEW, PROCESS_INITIALISING, PROCESS_AWAITED, PROCESS_BEGUN };

static uint32_t process_state;            /* atomic */
static struct hak_thread **process_owner; /* atomic; address of the initialising thread's hak_self */

/* Full guard builds: the flat tables are reserved before the options are known. A limited form has none. */
static void process_protect_tables(void) {
    if (hak_page_map.mask != 0) {
        hak_metadata_protect_table(hak_page_map.classes, hak_page_map.mask + 1);
    }
    if (hak_shadow.limit != 0) {
        hak_metadata_protect_table(hak_shadow.classes, hak_shadow.limit);
    }
}

/* No thread of ours comes any more, and perhaps no poll: what is more than may wait goes back now. Unless another thread of the program has
 * begun meanwhile. */
static void process_thread_ended(void) {
    if (hak_own_thread_user_ended()) {
        hak_purge_thread_was_ended();
    }
}

static void process_init(void) {
    hak_sanitizer_refuse();
    hak_place_init();
    hak_page_map_init();
    if (HAK_GUARD_EXACT) {
        hak_shadow_init();
    }
    ladder_add_options();
    hak_options_init();
    hak_node_init();
    if (HAK_GUARD_EXACT && hak_options.thp != HAK_THP_NEVER) {
        hak_shadow_expect_reads_below(hak_place_blocks_end());
    }
    if (HAK_GUARD_FULL) {
        hak_guard_init();
        process_protect_tables();
    }
    hak_profile_init();
    hak_thread_init((struct hak_thread_watch){.begun = hak_own_thread_user_begun, .ended = process_thread_ended});
}

static HAK_COLD void process_begin_slow(void) {
    uint32_t state = PROCESS_NEW;
    /* Acquire-release: one thread initialises. */
    if (hak_compare_exchange_acq_rel(&process_state, &state, PROCESS_INITIALISING)) {
        /* Relaxed, and below: the value is compared with a thread's own, which that thread stored itself. */
        hak_store_relaxed(&process_owner, &hak_self);
        process_init();
        /* Acquire-release: pairs with the acquire in hak_process_begin, and with who says that it waits. */
        if (hak_exchange_acq_rel(&process_state, (uint32_t)PROCESS_BEGUN) == PROCESS_AWAITED) {
            hak_os_wake(&process_state);
        }
        return;
    }
    if (hak_load_relaxed(&process_owner) == &hak_self) {
        return;
    }
    state = PROCESS_INITIALISING;
    while (hak_load_acquire(&process_state) != PROCESS_BEGUN) {
        /* Acquire-release: pairs with the exchange above; that one wakes where this one came before. */
        (void)hak_compare_exchange_acq_rel(&process_state, &state, (uint32_t)PROCESS_AWAITED);
        hak_os_wait(&process_state, PROCESS_AWAITED, -1);
        state = PROCESS_INITIALISING;
    }
}

void hak_process_begin(void) {
    /* Acquire: pairs with the release of the thread that initialised. */
    if (HAK_UNLIKELY(hak_load_acquire(&process_state) != PROCESS_BEGUN)) {
        process_begin_slow();
    }
}
