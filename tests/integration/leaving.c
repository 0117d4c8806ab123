/* SPDX-License-Identifier: MIT */
/* See leaving.h: by the linker's --wrap. */
#include "tests/integration/leaving.h"

#include "hakmem/base/atomic.h"
#include "hakmem/process/own_thread.h"

void (*before_leaving)(void);

void __real_hak_own_thread_leave(enum own_thread_kind kind);
void __wrap_hak_own_thread_leave(enum own_thread_kind kind);

void __wrap_hak_own_thread_leave(enum own_thread_kind kind) {
    /* Acquire: pairs with the release of the test that sets it. */
    void (*const call)(void) = hak_load_acquire(&before_leaving);
    if (call != NULL) call();
    __real_hak_own_thread_leave(kind);
}
