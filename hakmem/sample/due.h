/* SPDX-License-Identifier: MIT */
/* A sample that is due: what is known of it before there is a block. The thread that allocates makes it, without a lock. */
#ifndef HAKMEM_SAMPLE_DUE_H
#define HAKMEM_SAMPLE_DUE_H

#include <stddef.h>

#include "hakmem/sample/stack.h"

struct hak_due {
    /* The start of the profile whose rate it was drawn by (hak_sampling_epoch). Where the profile has been switched since, the
     * sample counts no more: it would stand for another number of blocks. */
    uint32_t epoch;
    uint32_t thread;   /* number of the allocating thread's record; 0: it has none */
    size_t asked;      /* bytes that the program asked for */
    unsigned thinning; /* of the thread when it was drawn; 0: it was not thinned out */
    struct hak_stack stack;
};

#endif
