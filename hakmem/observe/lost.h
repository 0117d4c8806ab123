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

/* Fills in one for each record of the profile. `lost` has PROFILE_RECORDS of them, all 0. The stack of the caller is a root from
 * its frame on, others are one as a whole. What other threads have in registers alone is not seen. `is_alone`: no other thread
 * runs. 0, or an errno value: no memory, or /proc/self cannot be read */
int hak_lost_find(struct profile_lost *lost, bool is_alone);

/* The same in a copy of the process, in which nothing changes meanwhile, for the tool that asked; the answer is in the profile's
 * shared memory (profile_page.h). The process waits for nothing but the copy's making; the calling thread for its end. Called by the
 * publishing thread. */
void hak_lost_answer(uint64_t asked);

#endif
