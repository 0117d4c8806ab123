/* SPDX-License-Identifier: MIT */
/* Lost blocks: live ones that the program cannot reach any more, found by a conservative mark.
 *
 * An aligned word of the program's memory whose value lies in a live block, at its start or inside, is taken for a pointer
 * to that block. Roots are the registers, the stacks, thread-local storage, the data segments, and all other memory that can be
 * written and is not hakmem's: what the program mapped itself counts as valgrind has it. Blocks that a root leads to, over
 * any number of blocks, are reachable, and the others are lost: indirectly where another lost block points to them, else
 * directly. So in a ring of lost blocks all are indirectly lost, as LeakSanitizer counts. What hakmem keeps for itself is
 * no root, nor is a free block.
 *
 * Takes locks of hakmem, so that it cannot run in a signal handler. Allocates nothing from hakmem. */
#ifndef HAKMEM_OBSERVE_LOST_H
#define HAKMEM_OBSERVE_LOST_H

#include "hakmem/sample/record.h"

/* Live samples of a record that are lost. */
struct hak_lost {
    uint32_t directly, indirectly;
};

/* Fills in one for each record of the profile. `lost` has PROFILE_RECORDS of them, all 0. The stack of the caller is a root from its frame on. 0, or an
 * errno value: no memory, or /proc/self cannot be read */
int hak_lost_find(struct hak_lost *lost);

#endif
