/* SPDX-License-Identifier: MIT */
/* The secret of the canaries; see canary.h. */
#include "hakmem/guard/canary.h"

#include "hakmem/base/atomic.h"
#include "hakmem/guard/guard.h"
#include "hakmem/guard/random.h"
#include "hakmem/os/os.h"

struct canary_secrets hak_canary;

/* Modulo 2^64, by Newton's iteration: an odd number is its own inverse in the low 3 bits, and each step doubles those that
 * are right. */
static uint64_t canary_invert(uint64_t odd) {
    uint64_t inverse = odd;
    for (unsigned right_bits = 3; right_bits < 64; right_bits *= 2) {
        inverse *= 2 - odd * inverse;
    }
    return inverse;
}

static uint64_t canary_changed_kept; /* atomic; where the page is not to be had: it is not known of children then */
static uint64_t *canary_changed = &canary_changed_kept; /* constant after init; what it points to is atomic */

static void canary_draw(void) {
    hak_canary.secret[0] = hak_guard_random_seed();
    hak_canary.secret[1] = hak_guard_random_seed();
    hak_canary.factor = hak_guard_random_seed() | 1;
    hak_canary.inverse = canary_invert(hak_canary.factor);
}

void hak_canary_init(void) {
    void *page;
    canary_draw();
    if (guard_has(HAK_FEATURE_CANARY) && hak_os_map_common(hak_os_page_size(), &page) == 0) {
        canary_changed = page;
    }
}

/* Relaxed, both: a process that does not see it yet is one guess late. */
void hak_canary_note_changed(void) { hak_store_relaxed(canary_changed, (uint64_t)1); }

bool hak_canary_was_changed(void) { return hak_load_relaxed(canary_changed) != 0; }

static void canary_exchange(struct canary_secrets *with) {
    const struct canary_secrets now = hak_canary;
    hak_canary = *with;
    *with = now;
}

void hak_canary_renew(struct canary_secrets *former) {
    *former = hak_canary;
    canary_draw();
}

void hak_canary_rewrite(void *p, size_t block_bytes, struct canary_secrets *former) {
    size_t size;
    canary_exchange(former);
    const bool is_whole = canary_read(p, block_bytes, &size);
    canary_exchange(former);
    if (is_whole) {
        canary_write(p, block_bytes, size);
    }
}
