/* SPDX-License-Identifier: MIT */
/* The path of calls that leads to a sampled allocation, found by the unwind tables of the program.
 *
 * The unwinder is that of the C compiler's runtime, which the preloaded library has linked in (libgcc_eh) and programs link
 * anyway. It needs no frame pointers. With glibc 2.35 and later it asks _dl_find_object for the tables, which takes no
 * lock and is safe in signal handlers and while a library is loaded. */
#ifndef HAKMEM_SAMPLE_STACK_H
#define HAKMEM_SAMPLE_STACK_H

#include "hakmem/base/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STACK_CALLERS_MAX 32u

struct hak_stack {
    uint64_t site;  /* an address within the program's call, or as given to hak_alloc_at */
    uint32_t count; /* of `callers`; at most HAKMEM_PROFILE_FRAMES */
    bool is_cut;    /* there are more than HAKMEM_PROFILE_FRAMES */
    /* Of the function that made the call at `site`, its caller, and so on; each address lies within the call. Fewer than
     * there are where the unwinder finds no table for a function, such as one that was compiled at run time. */
    uint64_t callers[STACK_CALLERS_MAX];
};

/* Fills in `stack`. There are no callers where `site` is no call on this thread's stack, and in an allocation that the
 * unwinder makes itself. Any thread, also one without a record. pre: the process is initialised */
void hak_stack_capture(struct hak_stack *stack, const void *site);

#ifdef __cplusplus
}
#endif

#endif
