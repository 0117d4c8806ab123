/* SPDX-License-Identifier: MIT */
/* The path of calls that leads to a sampled allocation. */
#ifndef HAKMEM_SAMPLE_STACK_H
#define HAKMEM_SAMPLE_STACK_H

#include "hakmem/base/compiler.h"

#define STACK_CALLERS_MAX 32u

struct hak_stack {
    uint64_t site;  /* an address within the program's call, or as given to hak_alloc_at */
    uint32_t count; /* of `callers`; at most HAKMEM_PROFILE_FRAMES */
    bool is_cut;    /* there are more than HAKMEM_PROFILE_FRAMES */
    bool is_open;   /* the outermost one's callers are not known: it has no unwind table */
    /* Of the function that made the call at `site`, its caller, and so on; each address lies within the call. Fewer than
     * there are with is_cut or is_open. */
    uint64_t callers[STACK_CALLERS_MAX];
};

#endif
