/* SPDX-License-Identifier: MIT */
/* What happens when the process ends by exit, or by a return from main.
 *
 * The program's destructors free, and so do those of libraries, in whose midst this library's run: exit takes the program first, then
 * what was preloaded, then what these need. So the destructor has the rest called when all others have run, where the C library
 * can (hak_os_call_last), and else does it at once.
 *
 * A process that _exit, quick_exit, abort or another signal ends comes to none of this. A child that ends by exit does. */
#include <stddef.h>

#include "hakmem/base/observer.h"
#include "hakmem/magazine/exchange_check.h"
#include "hakmem/os/os.h"

static void process_end_last(void *unused) {
    (void)unused;
    /* What came back and was never looked at, as in a program that allocates no more: by the thread that ends the process, since
     * the others may still run. Before anything is written, since it may abort. */
    hak_exchange_check_at_exit();
    observer_note_end();
}

/* 101: behind the program's own, where hakmem is a part of it. */
__attribute__((destructor(101))) static void process_end(void) {
    if (!hak_os_call_last(process_end_last)) {
        process_end_last(NULL);
    }
}
