/* SPDX-License-Identifier: MIT */
/* See exchange_hold.h. Whoever is waited for moves two pointers, holds no other lock that the waiting thread may have, and
 * may have been preempted. */
#include "hakmem/magazine/exchange_hold.h"

#include "hakmem/os/os.h"

void hak_exchange_hold_rest(uint8_t *holder, uint8_t seen) {
    while (seen == EXCHANGE_HOLDER_OTHER) {
        hak_os_sleep_ms(1);
        seen = EXCHANGE_HOLDER_NONE;
        (void)hak_compare_exchange_acq_rel(holder, &seen, (uint8_t)EXCHANGE_HOLDER_OWNER);
    }
}
