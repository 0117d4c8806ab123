/* SPDX-License-Identifier: MIT */
/* See decay.h. The time of the next purge is one word, 0 while nothing decays. The thread that swaps it to 0 purges, so
 * threads that poll at the same time do not repeat each other's work. */
#include "hakmem/region/decay.h"

#include "hakmem/base/atomic.h"
#include "hakmem/base/options.h"
#include "hakmem/os/os.h"

uint64_t hak_decay_due;

void hak_decay_schedule(uint64_t due_ms) {
    DISTURB();
    /* Sequentially consistent, all: pair with hak_decay_take, so that a look follows each schedule, and with the end of
     * the thread that looks (process/purge_thread.c). Who only reads an earlier time freed under a lock that the look
     * takes later: had the look come first, the time would have been read as taken. */
    uint64_t due = hak_load_seq_cst(&hak_decay_due);
    DISTURB();
    while ((due == 0 || due > due_ms) && !hak_compare_exchange_seq_cst(&hak_decay_due, &due, due_ms)) {
    }
}

void hak_decay_note_freed(uint64_t now_ms) {
    /* Relaxed: see options.h. */
    const int64_t delay_ms = hak_load_relaxed(&hak_options.purge_delay_ms);
    if (delay_ms >= 0) {
        /* Never 0, which means that nothing decays. */
        hak_decay_schedule(now_ms + (uint64_t)delay_ms + 1);
    }
}

/* Sequentially consistent: pairs with hak_decay_schedule. */
bool hak_decay_is_due(void) { return hak_load_seq_cst(&hak_decay_due) != 0; }

/* Sequentially consistent: pairs with hak_decay_schedule. Frees from now on schedule anew. */
bool hak_decay_take(void) { return hak_exchange_seq_cst(&hak_decay_due, (uint64_t)0) != 0; }

uint64_t hak_decay_pass_until(struct decay_pass *pass) {
    if (pass->begun_ms == 0) {
        pass->begun_ms = hak_os_clock_ms();
    }
    return pass->freed_until_ms < pass->begun_ms ? pass->freed_until_ms : pass->begun_ms;
}
