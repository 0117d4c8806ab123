/* SPDX-License-Identifier: MIT */
/* hak_thread_flush, hak_thread_idle and hak_trim: memory back, now. */
#include "hakmem/front/guarded.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/magazine/shared.h"
#include "hakmem/process/begin.h"
#include "hakmem/process/purge.h"

void hak_thread_flush(void) {
    if (hak_self != NULL) {
        hak_exchange_flush(hak_self);
    }
    purge_poll(__builtin_return_address(0));
}

void hak_thread_idle(void) {
    if (hak_self != NULL) {
        hak_exchange_flush_idle(hak_self);
        hak_purge_idle_record(hak_self);
    }
    purge_poll(__builtin_return_address(0));
}

size_t hak_trim(void) {
    hak_process_begin();
    hak_thread_flush();
    if (HAK_GUARD_FULL) {
        hak_guarded_drain();
    }
    hak_shared_flush();
    return hak_purge_all();
}
