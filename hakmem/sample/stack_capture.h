/* SPDX-License-Identifier: MIT */
/* The callers of an allocation, found by the program's unwind tables.
 *
 * The unwinder is that of the C compiler's runtime, which the preloaded library has linked in (libgcc_eh) and programs link
 * anyway. It needs no frame pointers. With glibc 2.35 and later it asks _dl_find_object for the tables, which takes no
 * lock and is safe in signal handlers and while a library is loaded. */
#ifndef HAKMEM_SAMPLE_STACK_CAPTURE_H
#define HAKMEM_SAMPLE_STACK_CAPTURE_H

#include "hakmem/sample/stack.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Fills in `stack`. There are no callers where `site` is no call on this thread's stack, and in an allocation that the
 * unwinder makes itself. Result: whether the path was not known, and had to be unwound. Any thread, also one
 * without a record. pre: the process is initialised */
bool hak_stack_capture(struct hak_stack *stack, const void *site);

#ifdef __cplusplus
}
#endif

#endif
