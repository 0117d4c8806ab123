/* The queue of slabs whose free pages are still to go back to the system: partial.c with CONTROL_PURGED, and batch_end_slab.
 *
 * One slab of one class. Threads free its blocks, one at a time; an allocator claims it from its list, takes what is free, and gives it
 * up; a purger takes it from the list of those that have something to purge, returns the pages of free blocks, and gives it back. A
 * block is a page here. The slab is never EMPTY: one block is never freed. One step is one atomic operation, or what is done under the
 * class lock, sequentially consistent; slab_state.pml is about the rest of the protocol.
 *
 * What must hold, and where it is asserted:
 *     no page of a block that is out is purged                                       purge
 *     while nobody is at the slab, it is in the list of those to purge exactly if
 *     a block is free whose page did not go back                                     settled
 *     a slab is in one list, and its flag says in which                              check_listed
 *
 * Each MUTANT_... makes one plausible mistake, which the search must find by the harm that it does. */

#ifndef BLOCKS
#define BLOCKS 2 /* that are freed and taken; one more is always out */
#endif
#ifndef FREERS
#define FREERS 1
#endif
#ifndef CLAIMS
#define CLAIMS 1
#endif
#ifndef PURGES
#define PURGES 2
#endif

#define NOBODY 0
#define LOWEST(bits) ((bits) & -(bits))
#define POPCOUNT(bits) (((bits) & 1) + ((bits) >> 1 & 1) + ((bits) >> 2 & 1))

mtype = { FULL, PARTIAL, OWNED };
mtype = { nowhere, to_purge, without }; /* lists: of those with something to purge, and of those without */

/* The control word: the three change together. */
mtype state = FULL;
short count;
bool is_purged; /* CONTROL_PURGED */

byte free;   /* blocks, as a set: free_bits; free_count is how many */
byte remote; /* likewise: remote_bits */
byte out = (1 << BLOCKS) - 1;

byte class_lock = NOBODY; /* guards the next two */
mtype list = nowhere;
byte purged_free;

/* Known to the model only. */
byte resident = (1 << BLOCKS) - 1; /* blocks whose page was written since it was last purged, as a set */
byte busy;                         /* threads that are at the slab */

inline acquire() { atomic { class_lock == NOBODY -> class_lock = _pid } }

inline release() {
    atomic {
        assert(class_lock == _pid);
        assert((list == nowhere) == (state != PARTIAL) && (list == without) == is_purged); /* check_listed */
        class_lock = NOBODY
    }
}

/* partial_link_locked; `seen` is the count as it was read before. */
inline link() {
    if
    :: seen <= purged_free ->
        atomic {
            is_purged = true; /* partial_note_purged_locked: hak_fetch_add_acq_rel */
#ifndef MUTANT_COUNT_BEFORE_FLAG
            seen = count
#endif
        }
    :: else
    fi;
    if
    :: seen > purged_free -> is_purged = false; list = to_purge
    :: else -> list = without
    fi
}

/* partial_unlink_locked */
inline unlink() {
    list = nowhere;
#ifndef MUTANT_UNLINK_KEEPS_FLAG
    is_purged = false
#endif
}

/* hak_partial_relist */
inline relist() {
    acquire();
    atomic { was = state; seen = count; had_flag = is_purged };
    if
    :: was == OWNED || seen == 0 -> skip
    :: was == PARTIAL && (!had_flag || seen <= purged_free) -> skip /* it is in its place */
    :: else ->
        if
        :: was == PARTIAL -> unlink()
        :: else -> state = PARTIAL
        fi;
        link()
    fi;
    release()
}

inline forget() { atomic { seen = 0; was = FULL; had_flag = false } }

/* partial_own_locked */
inline own() {
    unlink();
    atomic { assert(state == PARTIAL && !is_purged); state = OWNED; count = count - POPCOUNT(free) }
}

/* hak_slab_drain, of all words at once; the count may come after the bits. */
inline drain() {
    atomic { seen = remote; remote = 0 };
    free = free | seen;
    atomic { count = count - POPCOUNT(seen); seen = 0 }
}

/* hak_slab_detach */
inline detach() {
    atomic { state = FULL; count = count + POPCOUNT(free); seen = count };
    if
    :: seen != 0 -> relist()
    :: else
    fi
}

/* hak_slab_free_blocks, of one */
proctype freer() {
    short seen;
    byte block;
    mtype was = FULL;
    bool had_flag;
    do
    :: atomic { out != 0 -> block = LOWEST(out); out = out & ~block; busy++ };
        atomic { assert(!((free | remote) & block)); remote = remote | block; block = 0 };
        atomic { was = state; seen = count; had_flag = is_purged; count++ }; /* batch_end_slab */
        if
#ifdef MUTANT_FREE_IGNORES_FLAG
        :: was != OWNED && seen == 0 -> relist()
#else
        :: was != OWNED && (seen == 0 || had_flag) -> relist() /* the first free crosses the only level here */
#endif
        :: else
        fi;
        atomic { forget(); busy-- }
    :: break
    od
}

/* hak_slab_claim, hak_slab_take of all that is free, hak_slab_detach */
proctype allocator() {
    short seen;
    byte claims = 0;
    mtype was = FULL;
    bool had_flag;
    do
    :: claims < CLAIMS ->
        busy++;
        acquire();
        if
        :: list != nowhere ->
            own();
#ifndef MUTANT_CLAIM_KEEPS_PURGED_FREE
            purged_free = 0;
#endif
            release();
            drain();
            atomic { out = out | free; resident = resident | free; free = 0 };
            drain();
            detach()
        :: else -> release()
        fi;
        atomic { forget(); busy-- };
        claims++
    :: else -> break
    od
}

/* hak_partial_purge_piece */
proctype purger() {
    short seen;
    byte pages, purges = 0;
    mtype was = FULL;
    bool had_flag;
    do
    :: purges < PURGES ->
        busy++;
        acquire();
        if
        :: list == to_purge ->
#ifdef MUTANT_PURGE_LEAVES_SLAB_LISTED
            pages = free;
            release();
            atomic { assert((pages & out) == 0); resident = resident & ~pages };
            purged_free = POPCOUNT(pages)
#else
            own();
            release();
            drain();
            pages = free;
            atomic { assert((pages & out) == 0); resident = resident & ~pages }; /* hak_slab_purge_free_pages */
            purged_free = POPCOUNT(pages);
            detach()
#endif
        :: else -> release()
        fi;
        atomic { forget(); pages = 0; busy-- };
        purges++
    :: else -> break
    od
}

/* Looks once, at any moment in which nobody is at the slab. */
proctype settled() {
    atomic { busy == 0 -> assert(state != PARTIAL || (list == to_purge) == (((free | remote) & resident) != 0)) }
}

init {
    byte i = 0;
    atomic {
        for (i : 1 .. FREERS) {
            run freer()
        }
        run allocator();
        run purger();
        run settled()
    }
}
