/* SPDX-License-Identifier: MIT */
/* What exit calls when it has called the destructors of all libraries.
 *
 * Priorities order the destructors of one object; exit goes from object to object, and calls those of each in turn. To exit that is
 * one function among those that were registered, and what is registered meanwhile comes next. It must belong to no library, or
 * glibc would call it with that one's destructors. */
#include "hakmem/os/linux/linux.h"

#ifdef __GLIBC__
extern int __cxa_atexit(void (*run)(void *argument), void *argument, void *owner);

/* What dlmopen opens has a C library of its own, whose exit is never called. */
bool hak_os_call_last(void (*run)(void *argument)) {
    return hak_linux_is_with_program && __cxa_atexit(run, NULL, NULL) == 0;
}
#else
/* musl calls destructors when no registered function is left. */
bool hak_os_call_last(void (*run)(void *argument)) {
    (void)run;
    return false;
}
#endif
