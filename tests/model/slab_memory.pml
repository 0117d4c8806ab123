/* What threads share: descriptors and class locks; and what must hold of them. See slab_state.pml. */

#define CLASSES 2
#define NOBODY 0 /* SLAB_NOBODY: init's number, which no thread has */
#define NO_CLASS 0
#define NO_SLAB 0
#define ALL_BLOCKS ((1 << BLOCKS) - 1)
#define POPCOUNT(bits) (((bits) & 1) + ((bits) >> 1 & 1) + ((bits) >> 2 & 1) + ((bits) >> 3 & 1))
#define LOWEST(bits) ((bits) & -(bits))

/* control.h. The encoding is kept, so that a borrow out of the count would be seen in state and class. */
#define EMPTY 0
#define OWNED 1
#define FULL 2
#define PARTIAL 3
#define CONTROL_MAKE(state, class) ((state) | (class) << 2)
#define CONTROL_STATE(control) ((control) & 3)
#define CONTROL_CLASS(control) ((control) >> 2 & 3)
#define CONTROL_COUNT(control) ((control) >> 4)
#define CONTROL_DELTA(from, to, change) ((to) - (from) + (change) * 16)
#define LEVEL_FULL 0
#define LEVEL_EMPTY 5
#define CONTROL_LEVEL(count) \
    ((count) >= BLOCKS -> LEVEL_EMPTY : ((count) >= LEVEL_1_COUNT) + ((count) >= LEVEL_2_COUNT))

/* slab.h: struct slab, and what the region layer and the application know of it. */
typedef slab_descriptor {
    short control;
    byte free_bits;
    byte remote_bits;
    byte free_count;
    byte owner;
    byte class_index;
    byte bucket;
    byte list;       /* class whose lists it is in: what next, previous and the heads of the lists say */
    bool span_used;  /* region.c: the span is not in region->free */

    /* Known to the model only. */
    byte out;        /* blocks that are not in the slab: in magazines, in use, being freed */
    byte live;       /* of these, the ones that a thread may begin to free */
    byte holder;     /* the thread whose owner's data it is, from slab_create or partial_claim to slab_detach */
    short uncounted; /* bits set by freeing threads and not yet added to the count */
    byte undrained;  /* bits taken out by slab_drain and not yet subtracted from the count */
};
slab_descriptor slabs[DESCRIPTORS];

/* partial.c: the lock of each class; the thread that holds it, or NOBODY. */
byte class_lock[CLASSES + 1];

byte owners_left = OWNERS;

#define STATE(s) CONTROL_STATE(slabs[s].control)
#define CLASS(s) CONTROL_CLASS(slabs[s].control)
#define COUNT(s) CONTROL_COUNT(slabs[s].control)
#define FETCH_ADD(s, delta) slabs[s].control = slabs[s].control + (delta)

#define check_owned(s) assert(slabs[s].holder == _pid && slabs[s].span_used)
#define check_locked(class) assert(class_lock[class] == _pid)

/* The bits of a block that is out are clear, whenever somebody looks for a double free. */
#define check_out(s) assert((slabs[s].out & (slabs[s].free_bits | slabs[s].remote_bits)) == 0)

/* What holds while a block is out or a free uncounted: the slab is there, and of the block's class. */
#define check_in_use(s, class) \
    assert(slabs[s].span_used && slabs[s].class_index == (class) && CLASS(s) == (class) && STATE(s) != EMPTY)

#define check_unused(s) \
    assert(slabs[s].out == 0 && slabs[s].uncounted == 0 && slabs[s].holder == NOBODY && slabs[s].span_used)

/* slab.h: what count and bits have to do with each other, after every step that changes one of them. */
#define HOLDS_WHILE_OWNED(s) (COUNT(s) + slabs[s].uncounted == POPCOUNT(slabs[s].remote_bits) + slabs[s].undrained)
#define HOLDS_WHILE_UNOWNED(s) \
    (slabs[s].free_count == POPCOUNT(slabs[s].free_bits) && \
     COUNT(s) + slabs[s].uncounted == slabs[s].free_count + POPCOUNT(slabs[s].remote_bits))

inline check_equations(s) {
    check_out(s);
#ifndef UNCHECKED_EQUATIONS
    assert((slabs[s].free_bits & slabs[s].remote_bits) == 0);
    assert(slabs[s].uncounted >= 0);
    assert((STATE(s) == OWNED && HOLDS_WHILE_OWNED(s)) || (STATE(s) != OWNED && HOLDS_WHILE_UNOWNED(s)))
#endif
}

/* ANY: a descriptor has the property; CHOOSE_SLAB: it becomes the thread's `slab`, any of them where both do. */
#if DESCRIPTORS == 1
#define ANY(what) (what(0))
#define CHOOSE_SLAB(what) slab = 0
#else
#define ANY(what) (what(0) || what(1))
#define CHOOSE_SLAB(what) if :: what(0) -> slab = 0 :: what(1) -> slab = 1 fi
#endif

#define IS_HELD(s) (slabs[s].holder == _pid)
#define HAS_FREE(s) (IS_HELD(s) && slabs[s].free_count > 0)
#define HAS_NONE_FREE(s) (IS_HELD(s) && slabs[s].free_count == 0)
#define HAS_LIVE(s) (slabs[s].live != 0)
#define HAS_SPAN_FREE(s) (!slabs[s].span_used)

/* partial_claim takes the first slab of the first list; any slab of the class here, which covers every order. */
#define IS_LISTED(s) (slabs[s].list == class)

#define IS_LISTED_WRONG(s) (IS_LISTED(s) != (STATE(s) == PARTIAL && CLASS(s) == class))

/* The lock of the thread's `class`. The step that acquires it has waited until it was free. */
#define IS_UNLOCKED(class) (class_lock[class] == NOBODY)

inline lock_acquire() {
    assert(IS_UNLOCKED(class));
    class_lock[class] = _pid
}

inline lock_release() {
    check_locked(class);
    assert(!ANY(IS_LISTED_WRONG));
    class_lock[class] = NOBODY
}
