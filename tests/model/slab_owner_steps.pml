/* Steps of an owner: slab_take, slab_claim, slab_create, slab_drain, slab_release_if_empty, slab_detach.
 * Options of the loop in slab_thread.pml. */

/* exchange_refill: slab_take, of the lowest free block. */
:: atomic {
    step == idle && owns && ANY(HAS_FREE) -> CHOOSE_SLAB(HAS_FREE);
    check_owned(slab);
    batch = LOWEST(slabs[slab].free_bits);
    assert(batch != 0 && (slabs[slab].out & batch) == 0);
    slabs[slab].free_bits = slabs[slab].free_bits & ~batch; /* hak_store_relaxed(&slab->free_bits[word]) */
    slabs[slab].out = slabs[slab].out | batch;
    check_equations(slab);
    NEXT(take_count)
    check_owned(slab);
    slabs[slab].free_count--;
    slabs[slab].live = slabs[slab].live | batch; /* the caller may pass it to any thread */
    return_from_call()
}

/* exchange_active_slab, where no slab has free blocks: slab_claim, and slab_create where it returns NULL. */
:: atomic {
    step == idle && owns && (IS_UNLOCKED(1) || IS_UNLOCKED(2)) ->
    if
    :: IS_UNLOCKED(1) -> class = 1
    :: IS_UNLOCKED(2) -> class = 2
    fi;
    lock_acquire(); /* partial_claim */
    NEXT(claim_find)
    if
    :: ANY(IS_LISTED) -> CHOOSE_SLAB(IS_LISTED); step = claim_unlink
    :: else -> lock_release(); step = create
    fi
}
:: atomic {
    step == claim_unlink ->
    assert(slabs[slab].holder == NOBODY && slabs[slab].list == class);
    slabs[slab].list = NO_CLASS; /* partial_unlink_locked */
    counted = slabs[slab].free_count;
    NEXT(claim_add)
    assert(STATE(slab) == PARTIAL && CLASS(slab) == class);
#ifdef MUTANT_CLAIM_KEEPS_COUNT
    counted = 0;
#endif
    FETCH_ADD(slab, CONTROL_DELTA(PARTIAL, OWNED, -counted)); /* hak_fetch_add_acq_rel(&slab->control) */
    slabs[slab].holder = _pid;
    check_equations(slab);
    counted = 0;
    NEXT(claim_unlock)
    lock_release();
    class = NO_CLASS;
    NEXT(claim_owner)
    slabs[slab].owner = _pid; /* slab_claim: hak_store_relaxed(&slab->owner) */
    claiming = true;
    step = drain
}
:: atomic { step == create && !ANY(HAS_SPAN_FREE) -> return_from_call() }
:: atomic {
    step == create && ANY(HAS_SPAN_FREE) -> CHOOSE_SLAB(HAS_SPAN_FREE);
    slabs[slab].span_used = true; /* region_span_alloc, under the region lock */
    slabs[slab].holder = _pid;
    NEXT(create_fields)
    check_owned(slab);
    slabs[slab].class_index = class;
    slabs[slab].free_count = BLOCKS;
    slabs[slab].free_bits = ALL_BLOCKS;
    NEXT(create_owner)
    slabs[slab].owner = _pid; /* hak_store_relaxed(&slab->owner) */
    NEXT(create_control)
    slabs[slab].control = CONTROL_MAKE(OWNED, class); /* hak_store_release(&slab->control) */
    check_equations(slab);
    return_from_call()
}

/* exchange_active_slab, on a slab with nothing free: slab_drain. */
:: atomic { step == idle && owns && ANY(HAS_NONE_FREE) -> CHOOSE_SLAB(HAS_NONE_FREE); slab_drain_begin() }
/* exchange_release_empty: slab_release_if_empty. */
:: atomic { step == idle && owns && ANY(IS_HELD) -> CHOOSE_SLAB(IS_HELD); releasing = true; slab_drain_begin() }
/* slab_claim: slab_drain. */
:: atomic { step == drain -> slab_drain_begin() }
/* hak_load_relaxed(&slab->remote_bits[word]) */
:: atomic { step == drain_word && (slabs[slab].remote_bits & 1 << block) == 0 -> slab_drain_next_word() }
:: atomic {
    step == drain_word && (slabs[slab].remote_bits & 1 << block) != 0 ->
    check_owned(slab);
    NEXT(drain_exchange)
    assert((slabs[slab].free_bits & 1 << block) == 0);
    slabs[slab].remote_bits = slabs[slab].remote_bits & ~(1 << block); /* hak_exchange_acquire */
    slabs[slab].undrained++;
    check_equations(slab);
    NEXT(drain_store)
    check_owned(slab);
    slabs[slab].free_bits = slabs[slab].free_bits | 1 << block; /* hak_store_relaxed(&slab->free_bits[word]) */
    counted++;
    check_equations(slab);
    slab_drain_next_word()
}
:: atomic {
    step == drain_free_count ->
    check_owned(slab);
    slabs[slab].free_count = slabs[slab].free_count + counted;
    NEXT(drain_add)
#ifdef MUTANT_DRAIN_SUBTRACTS_WHAT_IT_READ
    counted = CONTROL_COUNT(control);
    control = 0;
#endif
    FETCH_ADD(slab, CONTROL_DELTA(OWNED, OWNED, -counted)); /* hak_fetch_add_acq_rel(&slab->control) */
    slabs[slab].undrained = 0;
    check_equations(slab);
    counted = 0;
    slab_drain_end()
}

/* exchange_active_slab, of the older slab, and exchange_flush_class: slab_detach. */
:: atomic { step == idle && owns && ANY(IS_HELD) -> CHOOSE_SLAB(IS_HELD); step = detach }
:: atomic {
    step == detach ->
    check_owned(slab);
    class = slabs[slab].class_index;
    counted = slabs[slab].free_count;
    NEXT(detach_owner)
    releasing = false;
#ifndef MUTANT_DETACH_KEEPS_OWNER
    slabs[slab].owner = NOBODY; /* hak_store_relaxed(&slab->owner) */
#endif
#ifdef MUTANT_DETACH_BY_STORE
    control = slabs[slab].control;
#endif
    NEXT(detach_add)
    check_owned(slab);
#ifndef MUTANT_DETACH_BY_STORE
    control = slabs[slab].control;
#endif
    assert(CONTROL_STATE(control) == OWNED && CONTROL_CLASS(control) == class);
    slabs[slab].control = control + CONTROL_DELTA(OWNED, FULL, counted); /* hak_fetch_add_acq_rel */
    slabs[slab].holder = NOBODY;
    check_equations(slab);
#ifdef MUTANT_DETACH_WITHOUT_RECHECK
    control = CONTROL_MAKE(OWNED, class);
#endif
    if
    :: CONTROL_LEVEL(CONTROL_COUNT(control) + counted) == LEVEL_FULL -> return_from_call()
    :: else -> counted = 0; control = 0; step = relist
    fi
}
