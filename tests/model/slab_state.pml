/* The state protocol of slabs, for spin to search exhaustively; what slab.h says of states, count and bits.
 *
 *     slab_memory.pml        control.h, struct slab, the class locks; what must hold of them
 *     slab_thread.pml        where a thread stands, and its loop
 *     slab_owner_steps.pml   slab.c, and partial_claim
 *     slab_free_steps.pml    free.c, and partial_relist
 *
 * Threads that own slabs claim, create, take from, drain, detach and release them in any order, which covers
 * every order that the magazine layer chooses. Every thread frees any block that is out, alone or in batches,
 * owned or not. A descriptor whose slab was emptied is used again, for either of two classes. An owner may
 * detach and end while blocks are out; all are freed before the last thread ends.
 *
 * One step is one atomic operation of the C code, named beside it, or plain accesses to data that nobody else
 * may touch meanwhile; that nobody does is asserted. Steps interleave in every way, sequentially consistent:
 * that weaker orders are enough is argued at each operation in the C code, not here. A block has a bitmap word
 * of its own: what happens where blocks share a word also happens here, as two steps side by side.
 *
 * What must hold, and where it is asserted:
 *     no block is given out twice, or while it is out                        slab_take
 *     the equations of slab.h; free_bits & remote_bits == 0                  check_equations
 *     a span goes back only when no block is out and every free is counted   check_unused
 *     bits and counts reach only the slab that they were meant for           check_in_use
 *     plain data is touched by the owner only, or under the class lock       check_owned, check_locked
 *     a slab is in a list of its class iff it is PARTIAL                     lock_release
 *     a claimed slab has a free block, as exchange_refill relies on          slab_drain_end
 *     nothing is lost: all is EMPTY when all threads have ended              init
 *     no deadlock                                                            spin's check of end states
 *
 * A relist that comes too late finds EMPTY, OWNED or another class, and does nothing; or it finds a slab of its
 * own class again, where it may do another relist's work, under the lock of both.
 *
 * Each MUTANT_... makes one plausible mistake, which the search must find. UNCHECKED_EQUATIONS leaves the
 * equations out, so that what it finds is the harm that a mistake does and not the first wrong number. */

#ifndef DESCRIPTORS
#define DESCRIPTORS 1 /* 1 or 2 */
#endif
#ifndef BLOCKS
#define BLOCKS 2 /* of a slab; at most 4 */
#endif
#ifndef OWNERS
#define OWNERS 1 /* threads that own slabs, and free */
#endif
#ifndef FREERS
#define FREERS 2 /* threads that free only */
#endif
#ifndef LEVEL_1_COUNT
#define LEVEL_1_COUNT 1 /* a slab is listed from this count on: an eighth, in the C code */
#endif
#ifndef LEVEL_2_COUNT
#define LEVEL_2_COUNT BLOCKS /* and in the second list from this one; BLOCKS: there is one list */
#endif

#include "slab_memory.pml"
#include "slab_thread.pml"

init {
    byte i = 0;
    atomic {
        do
        :: i < OWNERS -> run thread(true); i++
        :: i >= OWNERS && i < OWNERS + FREERS -> run thread(false); i++
        :: else -> i = 0; break
        od
    }
    _nr_pr == 1; /* all threads have ended, and all blocks are freed */
    do
    :: i < DESCRIPTORS ->
        assert(slabs[i].control == CONTROL_MAKE(EMPTY, NO_CLASS) && !slabs[i].span_used);
        assert(slabs[i].list == NO_CLASS && slabs[i].remote_bits == 0 && slabs[i].out == 0);
        i++
    :: else -> break
    od
}
