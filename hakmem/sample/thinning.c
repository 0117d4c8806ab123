/* SPDX-License-Identifier: MIT */
/* See thinning.h. */
#include "hakmem/sample/thinning.h"

static unsigned thinning_less(unsigned thinning, uint64_t elapsed_ms) {
    return elapsed_ms >= THINNING_FORGET_MS || thinning < THINNING_STEP ? 0 : thinning - THINNING_STEP;
}

void hak_thinning_note(struct hak_thread_chance *chance, unsigned cost, uint64_t now_ms) {
    const uint64_t elapsed_ms = now_ms - chance->since_ms;
    chance->spent = (uint16_t)(chance->spent + cost);
    const bool is_much = chance->spent >= THINNING_SPENT;
    if (elapsed_ms < THINNING_PERIOD_MS && !is_much) {
        return;
    }
    if (elapsed_ms < THINNING_PERIOD_MS) {
        chance->thinning =
            (uint8_t)(chance->thinning < THINNING_MOST ? chance->thinning + THINNING_STEP : THINNING_MOST);
    } else if (8 * (uint64_t)chance->spent * THINNING_PERIOD_MS < THINNING_SPENT * elapsed_ms) {
        chance->thinning = (uint8_t)thinning_less(chance->thinning, elapsed_ms);
    }
    chance->since_ms = now_ms;
    chance->spent = 0;
}
