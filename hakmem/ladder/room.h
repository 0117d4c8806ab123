/* SPDX-License-Identifier: MIT */
/* What decides how much room a magazine has. In the product a class begins with little, and gets more while it is refilled
 * often (magazine/exchange_room.h). With `capacity=fixed` it has all from the start; with `capacity=site` it gets more
 * where the place in the program that causes its refills does so often, whatever classes that place asks for.
 *
 * Called by the owning thread: by the slow path of malloc, and within exchanges. */
#ifndef HAKMEM_LADDER_ROOM_H
#define HAKMEM_LADDER_ROOM_H

#include "hakmem/base/compiler.h"
#include "hakmem/flags/flags.h"

/* Values of HAK_CAPACITY beside the product's. */
#define LADDER_ROOM_FIXED 1
#define LADDER_ROOM_BY_SITE 2

/* Places in the program that a thread remembers: a power of two. Two that share an entry take it from each other. */
#define LADDER_SITES 64

struct ladder_site {
    const void *caller;       /* where the program's call returns to; NULL: unused */
    uint16_t counted_from;    /* low bits of the thread's exchanges when recent_exchanges was last 0 */
    uint8_t recent_exchanges; /* that this place has caused since */
};

extern HAK_THREAD_LOCAL struct ladder_site *hak_ladder_site; /* of the current refill; the calling thread's */

/* Turns to the entry of `caller`, which causes a slow path of a thread with so many exchanges. */
HAK_NOINLINE void hak_ladder_enter_site(const void *caller, uint64_t exchanges);

/* Whether a class has all its room from the start. Never in the product. */
HAK_ALWAYS_INLINE bool ladder_room_is_whole(void) { return HAK_CAPACITY == LADDER_ROOM_FIXED; }

/* Whether exchanges are counted by the place that causes them, and so only those of malloc. Never in the product. */
HAK_ALWAYS_INLINE bool ladder_room_is_by_site(void) { return HAK_CAPACITY == LADDER_ROOM_BY_SITE; }

/* Notes who causes the slow path. Nothing in the product. */
HAK_ALWAYS_INLINE void ladder_note_site(const void *caller, uint64_t exchanges) {
    if (ladder_room_is_by_site()) {
        hak_ladder_enter_site(caller, exchanges);
    }
}

/* Who causes the slow path, where that is noted; NULL otherwise, and in the product. */
HAK_ALWAYS_INLINE const void *ladder_caller(void) {
    return ladder_room_is_by_site() && hak_ladder_site != NULL ? hak_ladder_site->caller : NULL;
}

/* Where exchanges are counted: what is given, which is the class's, in the product. */
HAK_ALWAYS_INLINE uint8_t *ladder_recent_exchanges(uint8_t *of_class) {
    return ladder_room_is_by_site() && hak_ladder_site != NULL ? &hak_ladder_site->recent_exchanges : of_class;
}

HAK_ALWAYS_INLINE uint16_t *ladder_counted_from(uint16_t *of_class) {
    return ladder_room_is_by_site() && hak_ladder_site != NULL ? &hak_ladder_site->counted_from : of_class;
}

#endif
