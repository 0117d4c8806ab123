/* What a thread does, step by step; see slab_state.pml.
 *
 * Each option of the loop stands for a C function, or for its part up to a call; NEXT parts it into steps. */

/* What a thread does next. Steps that always follow one another are parted by NEXT alone. */
mtype = {
    idle,
    claim_unlink,                                                    /* partial_claim */
    create,                                                          /* slab_create */
    drain, drain_word, drain_free_count,                             /* slab_drain */
    detach,                                                          /* slab_detach */
    free_own_word,                                                   /* batch_flush_own_word */
    free_word,                                                       /* batch_flush_remote_word */
    free_add,                                                        /* batch_end_slab */
    relist,                                                          /* partial_relist */
    relist_unlink, relist_empty, relist_state, relist_link,          /* partial_relist_locked */
    relist_unlock, relist_clear                                      /* partial_relist */
};

/* Ends a step, and begins the one that follows: others come between. */
#define NEXT(name) }; name: atomic {

/* Mistakes in what a mutant reads too early: the step is begun twice, and reads the first time. */
#ifdef MUTANT_LEVEL_FROM_EARLIER_LOAD
#define FREE_ADD_HAS_READ early
#else
#define FREE_ADD_HAS_READ true
#endif
#ifdef MUTANT_RELIST_LOADS_BEFORE_LOCK
#define RELIST_HAS_READ early
#else
#define RELIST_HAS_READ true
#endif

/* Between calls. Locals are forgotten, so that states differ by what matters only. */
inline return_from_call() {
    slab = NO_SLAB;
    class = NO_CLASS;
    block = 0;
    batch = 0;
    counted = 0;
    control = 0;
    claiming = false;
    releasing = false;
    early = false;
    step = idle
}

inline slab_drain_begin() {
    check_owned(slab);
    control = slabs[slab].control; /* hak_load_acquire(&slab->control) */
    if
    :: CONTROL_COUNT(control) == 0 -> slab_drain_end()
    :: CONTROL_COUNT(control) > 0 -> step = drain_word
    :: CONTROL_COUNT(control) < 0 -> step = drain_word /* an addition is still to come for what was drained */
    fi;
#ifndef MUTANT_DRAIN_SUBTRACTS_WHAT_IT_READ
    control = 0
#endif
}

inline slab_drain_next_word() {
    block++;
    if
    :: block == BLOCKS -> block = 0; step = drain_free_count
    :: else -> step = drain_word
    fi
}

/* On with slab_release_if_empty, or back from slab_claim or slab_drain. */
inline slab_drain_end() {
    check_owned(slab);
    assert(!claiming || slabs[slab].free_count > 0);
    if
    :: releasing && slabs[slab].free_count == BLOCKS -> step = detach
    :: else -> return_from_call()
    fi
}

proctype thread(bool owns) {
    mtype step = idle;
    byte slab = NO_SLAB;
    byte class = NO_CLASS;
    byte block = 0;         /* slab_drain: the word that is next */
    byte batch = 0;         /* slab_free_blocks: blocks whose bits are still to be set; slab_take: the block */
    short counted = 0;      /* frees to count; level to list by; blocks drained; blocks free */
    short control = 0;      /* the control word as it was last read */
    bool claiming = false;  /* slab_drain was called by slab_claim */
    bool releasing = false; /* slab_drain was called by slab_release_if_empty */
    bool early = false;     /* mutants only */

    do
#include "slab_owner_steps.pml"
#include "slab_free_steps.pml"

    /* thread_end, after the flush. What is left to free is freed by threads that own nothing. */
    :: atomic { step == idle && owns && !ANY(IS_HELD) -> owns = false; owners_left-- }
    :: step == idle && owners_left == 0 && !ANY(HAS_LIVE) -> break
    od
}
