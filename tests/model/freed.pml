/* An entry of the table of sampled blocks that were freed, sample/freed.c, beside two threads that write it and a report that reads it,
 * on a machine that shows stores in any order.
 *
 * The entry is of two blocks by their hash; each thread notes another one. What a report finds of the first block is all of it. (A
 * block that is noted twice meanwhile may show its sites of both times; both are its own.)
 *
 * Each MUTANT_... leaves out one order or look that the C code has; the search must find what it is for. */

#define WRITERS 2
#define WORDS 3
#define BLOCK 0
#define ALLOCATED 1
#define FREED 2
#define BEING_WRITTEN 100

#include "weak_threads.pml"

inline store_sites() {
    store(ALLOCATED, me + 1); /* hak_store_release, both: the exchange was before */
    store(FREED, me + 1)
}

proctype writer(byte me) { /* hak_freed_note */
    short was;
#ifdef MUTANT_SITES_BEFORE_MARK
    store_sites();
#endif
#ifdef MUTANT_NO_MARK
    was = 0;
#else
    drain();
    atomic { was = visible[BLOCK]; visible[BLOCK] = BEING_WRITTEN }; /* hak_exchange_acq_rel */
#endif
    if
#ifndef MUTANT_BOTH_WRITE
    :: was == BEING_WRITTEN -> skip
#endif
    :: else ->
#ifndef MUTANT_SITES_BEFORE_MARK
        store_sites();
#endif
#ifndef MUTANT_END_RELAXED
        drain();
#endif
        store(BLOCK, me + 1) /* hak_store_release(&entry->block) */
    fi;
    writers_ended++
}

active proctype reader() { /* hak_freed_find, of the first thread's block */
    short allocated, freed, again;
    if
    :: visible[BLOCK] == 1 ->
        allocated = visible[ALLOCATED]; /* hak_load_acquire, all */
        freed = visible[FREED];
        again = visible[BLOCK];
#ifdef MUTANT_NO_SECOND_LOOK
        again = 1;
#endif
        assert(again != 1 || (allocated == 1 && freed == 1))
    :: true -> skip
    fi
}

init { atomic { run writer(0); run writer(1) } }
