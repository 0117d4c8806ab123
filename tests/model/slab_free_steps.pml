/* Steps of whoever frees, slab_free_blocks, and of whoever changed the level, partial_relist.
 * Options of the loop in slab_thread.pml. */

/* exchange_free_to_slabs: slab_free_blocks, of one block or several of a slab. */
:: atomic {
    step == idle && ANY(HAS_LIVE) -> CHOOSE_SLAB(HAS_LIVE);
    do
    :: slabs[slab].live & ~batch & 1 -> batch = batch | 1
    :: slabs[slab].live & ~batch & 2 -> batch = batch | 2
    :: slabs[slab].live & ~batch & 4 -> batch = batch | 4
    :: slabs[slab].live & ~batch & 8 -> batch = batch | 8
    :: batch != 0 -> break
    od;
    slabs[slab].live = slabs[slab].live & ~batch;
    class = slabs[slab].class_index;
    NEXT(free_class)
    check_in_use(slab, class); /* hak_load_relaxed(&position.slab->control) */
    NEXT(free_owner)
    if /* batch_begin_slab: hak_load_relaxed(&slab->owner) */
    :: slabs[slab].owner == _pid -> step = free_own_word
    :: slabs[slab].owner != _pid ->
#ifdef MUTANT_COUNT_BEFORE_BITS
        counted = POPCOUNT(batch);
        step = free_add
#else
        step = free_word
#endif
    fi
}
:: atomic {
    step == free_own_word -> /* batch_flush_own_word, of the lowest block in the batch */
    check_owned(slab);
    check_out(slab); /* hak_load_relaxed(&slab->free_bits[word]), and of remote_bits */
    slabs[slab].out = slabs[slab].out & ~LOWEST(batch);
    slabs[slab].free_bits = slabs[slab].free_bits | LOWEST(batch); /* hak_store_relaxed(&slab->free_bits[word]) */
    check_equations(slab);
    batch = batch & ~LOWEST(batch);
    NEXT(free_own_count)
    check_owned(slab);
    slabs[slab].free_count++;
    if
    :: batch == 0 -> return_from_call()
    :: else -> step = free_own_word
    fi
}
:: atomic {
    step == free_word -> /* batch_flush_remote_word, of the lowest block in the batch */
    check_in_use(slab, class);
    check_out(slab); /* hak_load_relaxed(&slab->free_bits[word]) */
    NEXT(free_or)
    check_in_use(slab, class);
    slabs[slab].out = slabs[slab].out & ~LOWEST(batch);
    slabs[slab].remote_bits = slabs[slab].remote_bits | LOWEST(batch); /* hak_fetch_or_release */
    slabs[slab].uncounted++;
    check_equations(slab);
    batch = batch & ~LOWEST(batch);
#ifdef MUTANT_COUNT_BEFORE_BITS
    if
    :: batch != 0 -> step = free_word
    :: batch == 0 && !early -> return_from_call()
    :: batch == 0 && early -> early = false; step = relist
    fi
#else
    counted++;
    if
    :: batch != 0 -> step = free_word
    :: else -> step = free_add
    fi
#endif
}
#ifdef MUTANT_LEVEL_FROM_EARLIER_LOAD
:: atomic { step == free_add && !early -> control = slabs[slab].control; early = true }
#endif
:: atomic {
    step == free_add && FREE_ADD_HAS_READ ->
    check_in_use(slab, class);
#ifndef MUTANT_LEVEL_FROM_EARLIER_LOAD
    control = slabs[slab].control;
#endif
    /* batch_end_slab: hak_fetch_add_acq_rel(&batch->slab->control), the last access but for the relist. */
    FETCH_ADD(slab, CONTROL_DELTA(FULL, FULL, counted));
    slabs[slab].uncounted = slabs[slab].uncounted - counted;
    check_equations(slab);
    early = false;
    if
    :: CONTROL_STATE(control) == OWNED ||
       CONTROL_LEVEL(CONTROL_COUNT(control)) == CONTROL_LEVEL(CONTROL_COUNT(control) + counted) -> step = idle
    :: else -> step = relist
    fi;
#ifdef MUTANT_COUNT_BEFORE_BITS
    early = (step == relist);
    step = free_word;
#endif
    counted = 0;
    control = 0;
    if
    :: step == idle -> return_from_call()
    :: else
    fi
}

/* The slab may be anybody's by now: what the caller knows is its address, and its class of before. */
#ifdef MUTANT_RELIST_LOADS_BEFORE_LOCK
:: atomic { step == relist && !early -> control = slabs[slab].control; early = true }
#endif
:: atomic {
    step == relist && RELIST_HAS_READ && IS_UNLOCKED(class) -> lock_acquire(); /* partial_relist */
    NEXT(relist_load)
    check_locked(class);
#ifndef MUTANT_RELIST_LOADS_BEFORE_LOCK
    control = slabs[slab].control; /* partial_relist_locked: hak_load_acquire(&slab->control) */
#endif
    counted = CONTROL_LEVEL(CONTROL_COUNT(control));
#ifdef MUTANT_EMPTY_FROM_BITS
    if
    :: (slabs[slab].free_bits | slabs[slab].remote_bits) == ALL_BLOCKS -> counted = LEVEL_EMPTY
    :: else
    fi;
#endif
    if
    :: CONTROL_STATE(control) == EMPTY -> step = relist_unlock /* it was given back */
#ifndef MUTANT_RELIST_IGNORES_CLASS
    :: CONTROL_STATE(control) != EMPTY && CONTROL_CLASS(control) != class -> step = relist_unlock /* and reused */
#endif
#ifndef MUTANT_RELIST_IGNORES_STATE
    :: CONTROL_STATE(control) == OWNED && CONTROL_CLASS(control) == class -> step = relist_unlock /* claimed */
#endif
    :: else ->
        if
        :: counted == LEVEL_FULL -> step = relist_unlock /* claimed, and detached with few blocks free */
        :: CONTROL_STATE(control) == PARTIAL && counted == slabs[slab].bucket -> step = relist_unlock /* done */
        :: else -> step = relist_unlink
        fi
    fi;
#ifndef MUTANT_PARTIAL_BY_STORE
    control = CONTROL_STATE(control); /* all that is used of it from here on */
#endif
    if
    :: step == relist_unlock -> control = 0; counted = 0
    :: else
    fi
}
:: atomic { step == relist_unlock -> lock_release(); return_from_call() }
:: atomic {
    step == relist_unlink ->
    check_locked(class);
    if
    :: CONTROL_STATE(control) == PARTIAL ->
        assert(slabs[slab].list == class);
        slabs[slab].list = NO_CLASS /* partial_unlink_locked */
    :: else
    fi;
    if
    :: counted == LEVEL_EMPTY -> step = relist_empty
    :: counted != LEVEL_EMPTY && CONTROL_STATE(control) == FULL -> step = relist_state
    :: else -> step = relist_link
    fi
}
:: atomic {
    step == relist_empty ->
    check_unused(slab);
    assert(COUNT(slab) == BLOCKS); /* nobody's addition is overwritten */
    slabs[slab].control = CONTROL_MAKE(EMPTY, NO_CLASS); /* hak_store_release(&slab->control) */
    counted = 0;
    control = 0;
    NEXT(relist_unlock_empty)
    lock_release();
    class = NO_CLASS;
#ifdef MUTANT_SPAN_FREED_BEFORE_BITS_CLEAR
    slabs[slab].span_used = false;
#endif
    step = relist_clear
}
:: atomic {
    step == relist_state ->
#ifndef MUTANT_PARTIAL_BY_STORE
    control = slabs[slab].control;
#endif
    slabs[slab].control = control + CONTROL_DELTA(FULL, PARTIAL, 0); /* hak_fetch_add_acq_rel(&slab->control) */
    check_equations(slab);
    control = 0;
    step = relist_link
}
:: atomic {
    step == relist_link ->
    check_locked(class);
    assert(slabs[slab].list == NO_CLASS);
    slabs[slab].bucket = counted; /* partial_link_locked */
    slabs[slab].list = class;
    counted = 0;
    control = 0;
    step = relist_unlock
}
#ifdef MUTANT_SPAN_FREED_BEFORE_BITS_CLEAR
:: atomic { step == relist_clear -> slabs[slab].remote_bits = 0; return_from_call() }
#else
:: atomic {
    step == relist_clear && slabs[slab].remote_bits != 0 ->
    check_unused(slab);
    /* partial_relist: hak_store_relaxed(&slab->remote_bits[word]) */
    slabs[slab].remote_bits = slabs[slab].remote_bits & ~LOWEST(slabs[slab].remote_bits)
}
:: atomic {
    step == relist_clear && slabs[slab].remote_bits == 0 ->
    check_unused(slab);
    assert(STATE(slab) == EMPTY);
    slabs[slab].span_used = false; /* region_span_free, under the region lock */
    slabs[slab].free_bits = 0; /* in the model only: states do not differ by what nobody reads again */
    slabs[slab].free_count = 0;
    slabs[slab].class_index = NO_CLASS;
    slabs[slab].bucket = 0;
    return_from_call()
}
#endif
