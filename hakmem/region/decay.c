/* See decay.h. The time of the next look is one word: 0 while nothing decays. Whoever swaps it to 0 looks, so
 * threads that poll at the same time do not repeat each other's work. */
#include "hakmem/region/decay.h"

#include "hakmem/base/atomic.h"
#include "hakmem/base/options.h"
#include "hakmem/os/os.h"

static uint64_t decay_due;      /* atomic; ms */
static uint32_t decay_signal;   /* atomic: counts schedules; what decay_wait sleeps on */
static uint32_t decay_sleepers; /* atomic */

void decay_schedule(uint64_t due_ms) {
    uint64_t nothing_due = 0;
    /* Acquire-release: pairs with decay_take, so that a look follows each schedule. */
    if (!hak_compare_exchange_acq_rel(&decay_due, &nothing_due, due_ms)) {
        return;
    }
    /* Acquire-release: pairs with the load in decay_wait; the sleepers are read after it. */
    hak_fetch_add_acq_rel(&decay_signal, 1u);
    if (hak_load_acquire(&decay_sleepers) != 0) {
        os_wake(&decay_signal);
    }
}

void decay_note_freed(uint64_t now_ms) {
    if (hak_options.purge_delay_ms >= 0) {
        /* Never 0, which means that nothing decays. */
        decay_schedule(now_ms + (uint64_t)hak_options.purge_delay_ms + 1);
    }
}

/* Relaxed: a look that comes a little late is still a look. */
uint64_t decay_due_ms(void) { return hak_load_relaxed(&decay_due); }

/* Acquire: pairs with decay_schedule. Frees from now on schedule anew. */
bool decay_take(void) { return hak_exchange_acquire(&decay_due, (uint64_t)0) != 0; }

void decay_wait(void) {
    hak_fetch_add_acq_rel(&decay_sleepers, 1u);
    /* Acquire: read before the due time, so that a schedule between the two ends the sleep at once. */
    const uint32_t signal = hak_load_acquire(&decay_signal);
    const uint64_t due = hak_load_acquire(&decay_due);
    const uint64_t now = os_clock_ms();
    if (due == 0) {
        os_wait(&decay_signal, signal, -1);
    } else if (now < due) {
        os_wait(&decay_signal, signal, (int64_t)(due - now));
    }
    hak_fetch_add_acq_rel(&decay_sleepers, UINT32_MAX);
}
