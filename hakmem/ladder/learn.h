/* SPDX-License-Identifier: MIT */
/* The experiment `learn=elo`: each thread learns for each class how its exchanges should go. A player is a way to exchange: the
 * room of a magazine, the size of a refill, the depth of the stash, how much of a full returned magazine goes back to
 * the slabs, and whether pages are populated ahead. The chosen player plays; now and then a rival takes its turn, and the one whose slow paths cost less by operation
 * wins. Ratings follow by the rule of Elo, and the one with the highest rating is chosen.
 *
 * Cost is counted, and no clock is read: the work of slow paths by a fixed tariff, and the bytes that lie in magazines times
 * the operations that the thread makes meanwhile. So from the same calls the same choices follow.
 * docs/decisions/037 has the reasons.
 *
 * With `capacity=site` as well a class has a learner for each of the first places in the program that cause its refills, and one for
 * all others. Its magazines are as the player of the place wants them that caused the last one.
 *
 * Exchanges call this (magazine/exchange_learn.h), each for the learners of its own thread; statistics read what others
 * chose. In the product nothing of it is there. */
#ifndef HAKMEM_LADDER_LEARN_H
#define HAKMEM_LADDER_LEARN_H

#include "codegen/hak_classes.h"
#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"
#include "hakmem/base/options.h"
#include "hakmem/flags/flags.h"

/* Whether exchanges learn: a constant, 0 in the product. */
#define LADDER_LEARNS HAK_LEARN

enum ladder_room { LADDER_ROOM_LITTLE, LADDER_ROOM_GROWS, LADDER_ROOM_WHOLE };
enum ladder_refill { LADDER_REFILL_PAGE, LADDER_REFILL_DOUBLES, LADDER_REFILL_HALF };
#define LADDER_STASH_ALL UINT8_MAX

struct ladder_player {
    const char *name;
    uint8_t room;   /* enum ladder_room: the first, more while the class is hot, or all that it may have */
    uint8_t refill; /* enum ladder_refill: a page's blocks, twice as many each time, or half the room at once */
    uint8_t stash;  /* the most magazines in the stash */
    /* A full returned magazine goes back whole while the loaded one has blocks, and slabs are given up. */
    bool returns_at_once;
    bool populates; /* a refill's pages that no block was in before, in one call of the kernel */
};

#define LADDER_PLAYERS 7u
extern const struct ladder_player hak_ladder_players[LADDER_PLAYERS];

/* What slow paths do, as the tariff counts it. */
enum ladder_work {
    LADDER_WORK_EVENT,         /* a slow path begins */
    LADDER_WORK_SWAP,          /* the two magazines change places */
    LADDER_WORK_STASH,         /* a magazine goes into the stash, or comes out */
    LADDER_WORK_REFILL,        /* blocks are taken from a slab */
    LADDER_WORK_REFILL_BLOCK,  /* for each of them */
    LADDER_WORK_SLAB,          /* a slab is claimed, made or given up */
    LADDER_WORK_FLUSH,         /* blocks go back to their slabs */
    LADDER_WORK_FLUSH_BLOCK,   /* for each of them */
    LADDER_WORK_MOVE,          /* room changes */
    LADDER_WORK_FAULT,         /* a page without memory is taken: the program's first write to it enters the kernel */
    LADDER_WORK_POPULATE,      /* the kernel is asked for such pages */
    LADDER_WORK_POPULATE_PAGE, /* for each of them */
    LADDER_WORK_COUNT,
};

/* Costs are in instructions times this: so many bytes that are held for one operation cost as much as an instruction. */
#define LADDER_COST_SHIFT 12

/* Of a class of a thread. "shown": atomic, written by the owner, read by statistics; the rest is the owner's. */
struct ladder_learner {
    uint64_t cost;                   /* of the window */
    int32_t allowance;               /* instructions that rivals may still cost more than the chosen one would */
    uint32_t seen_at;                /* low bits of the thread's operations when the class was last exchanged */
    uint32_t operations;             /* of the window */
    uint32_t matches;                /* shown */
    uint32_t random;                 /* the generator's state; 0: the class was never exchanged */
    uint32_t usual;                  /* rate of the chosen player, smoothed; 0: not known */
    uint32_t before;                 /* rate of the chosen player before the rival's turn */
    uint32_t rivals;                 /* rate of the rival */
    int16_t ratings[LADDER_PLAYERS]; /* in eighths of a point; shown */
    uint8_t chosen;                  /* shown */
    uint8_t playing;                 /* the chosen one, or its rival */
    uint8_t rival;                   /* its number, in a match */
    uint8_t turn : 4;                /* enum learn_turn */
    uint8_t site : 4;                /* in the class's first learner: which of them plays */
    uint8_t events;                  /* slow paths in the window */
    uint8_t wait;                    /* windows until the next match */
    uint8_t since;                   /* matches since the class last changed its kind, at most LEARN_SINCE_MOST */
    uint8_t strikes;                 /* windows in a row that were not as usual */
    uint8_t room; /* in the first: slots that LADDER_ROOM_GROWS had when its turn ended; 0: it had none */
};

HAK_STATIC_ASSERT(sizeof(struct ladder_learner) <= 64, "what a class may cost, or a place of it");

/* Of a class: one for each of the first places and one for all others, or one. */
#if !defined(HAK_UNSWITCHED) && HAK_LEARN && HAK_CAPACITY == 2 /* LADDER_ROOM_BY_SITE */
#define LADDER_LEARNERS 8u
#else
#define LADDER_LEARNERS 1u
#endif

/* Of a thread: behind its record. */
struct ladder_learning {
    uint64_t operations; /* atomic: written by the owner, as is the next; blocks that malloc took and free stored */
    uint64_t cost;       /* of all classes, with all turns */
    /* Who has which learner, in the order in which they came, so that it is the same wherever the program lies in memory. NULL: nobody */
    const void *callers[HAK_CLASS_COUNT][LADDER_LEARNERS];
    struct ladder_learner learners[HAK_CLASS_COUNT][LADDER_LEARNERS];
};

/* The options of this build, HAKMEM_LEARN_... */
#define LADDER_OPTIONS 2u
extern const struct hak_option hak_ladder_options[LADDER_OPTIONS];

/* Tells hak_options_init of them. Nothing in the product. */
HAK_ALWAYS_INLINE void ladder_add_options(void) {
    if (LADDER_LEARNS) {
        hak_options_add(hak_ladder_options, LADDER_OPTIONS);
    }
}

/* Bytes behind a record. 0 in the product. */
HAK_ALWAYS_INLINE size_t ladder_learning_bytes(void) { return LADDER_LEARNS ? sizeof(struct ladder_learning) : 0; }

/* Forgets what an earlier thread of the record learned. */
void hak_ladder_learning_begin(struct ladder_learning *learning);

/* Adds so much of a kind of work to what the class costs. */
void hak_ladder_charge(struct ladder_learning *learning, unsigned class_index, enum ladder_work work, uint32_t count);

/* Adds work that is counted by pages of 4 KiB, for so many bytes. */
void hak_ladder_charge_bytes(struct ladder_learning *learning, unsigned class_index, enum ladder_work work,
                             uint32_t bytes);

/* Whether the next event of the class ends a window, is a learner's first, or is of another than the one before: it takes the long
 * way then. */
bool hak_ladder_is_due(const struct ladder_learning *learning, unsigned class_index, const void *caller);

/* A slow path of the class: the thread allocated and freed `operations` blocks of it since the one before, and held
 * held_bytes of them on average. Those are entered where the one before was; the slow path itself is entered with the learner of
 * `caller`, if there are several and it is not NULL. true: another player begins its turn. */
bool hak_ladder_event(struct ladder_learning *learning, unsigned class_index, const void *caller, uint32_t operations,
                      size_t held_bytes);

/* The one that also keeps what the class has but once. */
HAK_ALWAYS_INLINE struct ladder_learner *ladder_first_learner(struct ladder_learning *learning, unsigned class_index) {
    return &learning->learners[class_index][0];
}

/* The one of the last slow path. */
HAK_ALWAYS_INLINE const struct ladder_learner *ladder_learner(const struct ladder_learning *learning,
                                                              unsigned class_index) {
    const struct ladder_learner *learners = learning->learners[class_index];
    return &learners[LADDER_LEARNERS == 1 ? 0 : learners->site];
}

/* Who plays. Whoever asks before the class's first event gets the player of what ships. */
HAK_ALWAYS_INLINE const struct ladder_player *ladder_player(const struct ladder_learning *learning,
                                                            unsigned class_index) {
    return &hak_ladder_players[ladder_learner(learning, class_index)->playing];
}

/* What one class of all threads learned, for statistics. */
struct ladder_learned {
    uint64_t matches;   /* of all threads */
    const char *player; /* of the learner with the most matches of the class; NULL: there was none */
    unsigned rating;    /* of that player, there */
    uint32_t most;      /* matches of that learner */
};

/* Adds what another thread, or this one, learned of the class. */
void hak_ladder_add_learned(struct ladder_learned *sum, const struct ladder_learning *learning, unsigned class_index);

#endif
