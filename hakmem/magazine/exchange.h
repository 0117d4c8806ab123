/* SPDX-License-Identifier: MIT */
/* Exchanges: how blocks move between a thread's magazines and the slabs, many at a time.
 *
 * For each class a thread has two magazines, a stash of full ones and two active slabs. The hot path moves one block at
 * a magazine's top; whatever else happens to a magazine is an exchange:
 *
 *           refill                 malloc                   free                 flush
 *     slabs --------->  LOADED  ----------->  program  ----------->  RETURNED  --------> slabs
 *                        ^  ^                                          |   |
 *                        |  '----------------- swap -------------------'   | stash
 *                        '--------- unstash ---------  STASH  <------------'
 *
 *     which call          it finds                              so the exchange does
 *     malloc,             RETURNED more than an eighth full     swap
 *     LOADED is empty     else a magazine in the stash          unstash
 *                         else                                  refill; no memory: swap whatever RETURNED holds
 *                         the class is hot (exchange_room.h)    twice the room, then unstash or refill, not swap
 *                         the class has no room (share.h)       a block from a slab, through no magazine
 *     free,               the class has no room                 flush the block
 *     RETURNED is full    the class is not worth keeping (*)    flush everything and give up the active slabs
 *                         else LOADED empty                     swap
 *                         else the class has a stash            stash; if that is full, flush its oldest magazine first
 *                         else                                  flush the older half of RETURNED
 *     either              more room than the thread's share     flush all magazines of the class, which lose that room
 *     end of the thread, hak_trim, child of a fork              flush everything, of all classes
 *
 *     (*) nothing was loaded since the last such flush; or RETURNED fills again and again without malloc emptying
 *         LOADED; or the class is above tiny and the thread holds more of such blocks than it keeps (share.h)
 *
 * Before blocks of RETURNED move to where malloc finds them, they are checked (exchange_check.h). With guard's
 * quarantine they never move there: they pass through the quarantine, and what leaves it is loaded instead. Classes
 * with blocks above EXCHANGE_CACHED_MAX_BYTES have no room in magazines: each malloc makes a slab, and each free gives
 * it back.
 *
 * Invariants, for each thread and class while the thread's sequence is even (c: the class's constants, own: struct
 * hak_thread_class):
 *
 *     room                    == c.magazine - own.unused_slots
 *     level(m)                == top(m) - base(m), 0 <= level(m) <= room, base(m)[-1] == NULL     m: LOADED or RETURNED
 *     blocks that malloc took == own.allocations + own.loaded_level - level(LOADED)
 *     blocks that were freed  == own.frees + level(RETURNED) - own.returned_level
 *     own.loaded_unused       == own.unused_slots, or RECORD_HALF_SLOTS less where the class is packed: room <= RECORD_PACKED_MOST
 *                              then, and one magazine's storage holds both (record.h)
 *     blocks in magazines     == level(LOADED) + level(RETURNED) + own.stashed * c.magazine
 *     own.stashed > 0          only if own.unused_slots == own.loaded_unused == 0: magazines in the stash are full and have the whole room
 *     own.active[1] != NULL    only if own.active[0] != NULL; both slabs are OWNED by the thread (slab.h). They may go at any
 *                              time while nobody holds the class: idle.h
 *     room == 0                only where the class has no magazines, of which both tops are RECORD_NO_ROOM then, or may have none:
 *                              then both are at the end of storage that it keeps
 *
 * and over all threads, while all sequences are even:
 *
 *     blocks taken in the class's slabs == live blocks + blocks in magazines + blocks in guard's quarantine
 *
 * Only the owning thread exchanges, so there is no lock here but the one of exchange_hold.h, which keeps others off the
 * active slabs; below, the slabs and the quarantine take theirs, and none is held between two of those calls. Other
 * threads read counts and slots while they change: the sequence, odd during an exchange, tells them to read again
 * (reading.h, hak_walk). The child of a fork flushes the records of threads that it does not have.
 *
 * Who calls what; each file includes only files below it:
 *
 *     pool_slow.h, front/free.c
 *         |
 *     exchange          entries of malloc and free
 *         |
 *         +---------- thread          begin, end, fork      front/trim.c      front/misuse.c, at the end of the process
 *         |              |                                       |                  |
 *     exchange_load      |            fills LOADED               |                  |
 *         |              |                                       |                  |
 *         +-- exchange_flush          blocks back to the slabs <-'                  |
 *         |                                                                         |
 *     exchange_check                  double and invalid frees <--------------------'
 *         |
 *     stash, exchange_room, sampling  full magazines; how many blocks a magazine may hold; parked blocks
 *     exchange_hold, share            who may change the active slabs; what each of many threads may hold
 *         |
 *     exchange_levels.h, record       levels, counts and the sequence; what a thread has
 *
 * With `learn=elo` exchange_learn and populate stand below exchange_load, and learning.h above exchange_levels.h; nothing of them is in the
 * product. */
#ifndef HAKMEM_MAGAZINE_EXCHANGE_H
#define HAKMEM_MAGAZINE_EXCHANGE_H

#include "hakmem/guard/guard.h"
#include "hakmem/ladder/remote.h"
#include "hakmem/magazine/exchange_flush.h"
#include "hakmem/magazine/exchange_load.h"
#include "hakmem/magazine/exchange_room.h"

/* Allocates a block of the class, also for a thread that has not begun or has ended. NULL: no memory */
HAK_COLD void *hak_exchange_alloc(unsigned class_index);

/* Frees p, a block of the class, also for a thread that has not begun or has ended. */
HAK_COLD void hak_exchange_free(unsigned class_index, void *p);

/* The same for a call of the program or of the C library, `caller` as for hak_thread_begin_to_free. */
HAK_COLD void hak_exchange_free_called(unsigned class_index, void *p, const void *caller);

/* Frees p. pre: the thread has begun, and its returned magazine of the class is full */
void hak_exchange_free_begun(struct hak_thread *thread, unsigned class_index, void *p);

/* Frees p into its slab at once, without a magazine. pre: the thread has begun */
HAK_COLD void hak_exchange_free_at_once(unsigned class_index, void *p);

/* Allocates a block of a class that stays in no magazine. Nobody owns its slab, so that whoever frees the block gives
 * the slab back to the regions. NULL: no memory */
HAK_COLD void *hak_exchange_alloc_uncached(struct hak_thread *thread, unsigned class_index);

/* exchange_alloc_begun for guard builds while the shadow has the limited form; the loaded magazine may hold blocks. */
HAK_COLD void *hak_exchange_alloc_limited(struct hak_thread *thread, unsigned class_index);

/* exchange_alloc_begun. */
HAK_ALWAYS_INLINE void *exchange_alloc_begun_now(struct hak_thread *thread, unsigned class_index) {
    if (class_index >= HAK_L25_CLASS_FIRST && exchange_is_uncached(class_index)) {
        return hak_exchange_alloc_uncached(thread, class_index);
    }
    if (ladder_drains_always()) {
        hak_exchange_drain(thread, class_index);
    }
    if (HAK_GUARD_EXACT && HAK_UNLIKELY(hak_load_setting(&hak_shadow.limit) == 0)) {
        return hak_exchange_alloc_limited(thread, class_index);
    }
    if (!guard_has(HAK_FEATURE_QUARANTINE) && HAK_LIKELY(exchange_swap_in(thread, class_index))) {
        return magazine_take(class_index);
    }
    return hak_exchange_load(thread, class_index);
}

/* Allocates a block. NULL: no memory. pre: the thread has begun, and its loaded magazine of the class is empty or, in
 * guard builds, the shadow has the limited form */
HAK_ALWAYS_INLINE void *exchange_alloc_begun(struct hak_thread *thread, unsigned class_index) {
    const bool was_inside = magazine_enter();
    void *p = exchange_alloc_begun_now(thread, class_index);
    magazine_leave(was_inside);
    return p;
}

#endif
