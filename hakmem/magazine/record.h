/* SPDX-License-Identifier: MIT */
/* The record of a thread: its counts, its active slabs and the storage of its magazines.
 *
 * thread.h makes and recycles records; the exchanges (exchange.h) change what is in them. Each record lies in a mapping
 * of its own. Storage is handed out from the first on, at a class's first exchange (exchange_room.h), so that the number
 * of classes that the thread uses decides how much of it becomes resident, and hardly which they are.
 * "owner" below: only the thread that has the record reads and writes the field. */
#ifndef HAKMEM_MAGAZINE_RECORD_H
#define HAKMEM_MAGAZINE_RECORD_H

#include "hakmem/magazine/magazine_fast.h"
#include "hakmem/slab/slab.h"

/* The magazines of a class without storage, and of a thread without a record: empty and full at once. */
#define RECORD_NO_ROOM ((void **)&hak_record_no_slots[MAGAZINE_SLOTS])
extern HAK_INTERNAL void *const hak_record_no_slots[MAGAZINE_SLOTS];

/* Magazines that a record has for the stashes of its classes: what 16 classes in constant use fill. */
#define THREAD_SPARES 64

/* Magazines that a record has storage for. */
#define THREAD_MAGAZINES (2 * (HAK_CLASS_COUNT - 1) + THREAD_SPARES)

/* Binary logarithm of the number of check_stamps: with magazines of 64 blocks, two pointers share an entry in every
 * second check. */
#define THREAD_CHECK_BITS 12

/* Storage of one magazine holds both of a class where they have room for at most RECORD_PACKED_MOST blocks: the class is
 * packed. Only the returned one has to end at a multiple of MAGAZINE_BYTES, since free tells a full one by that:
 *
 *     multiple of MAGAZINE_BYTES          RECORD_HALF_SLOTS              multiple of MAGAZINE_BYTES
 *          v                                     v                                v
 *          :   ...   NULL b  b  b  b  b  b  b  b :   ...   NULL b  b  b  b  b     :
 *                         |<----- loaded ------->|              |<-- returned --->|
 *
 * So the loaded one's blocks are RECORD_HALF_SLOTS more than magazine_level says, which loaded_unused takes into account. */
#define RECORD_HALF_SLOTS (MAGAZINE_SLOTS / 2)
#define RECORD_PACKED_MOST (RECORD_HALF_SLOTS - 1)
HAK_STATIC_ASSERT(MAGAZINE_SLOTS <= INT8_MAX + 1, "the capacity of any magazine fits loaded_unused");

/* The value of loaded_unused, which holds it modulo 256. */
HAK_ALWAYS_INLINE int record_signed(uint8_t stored) {
    return stored > INT8_MAX ? (int)stored - (UINT8_MAX + 1) : (int)stored;
}

/* The smallest page of any system. */
#define RECORD_PAGE_BYTES 4096

/* Bits of `is_used`. An exchange sets both; each of the two looks for unused classes clears its own. */
#define RECORD_USED_SINCE_LOADS 1u  /* hak_exchange_flush_unused */
#define RECORD_USED_SINCE_GROWTH 2u /* hak_exchange_flush_before_growth */
#define RECORD_USED (RECORD_USED_SINCE_LOADS | RECORD_USED_SINCE_GROWTH)

struct hak_thread_class {
    struct slab *active[2]; /* who holds the class (exchange_hold.h); slabs that refills take blocks from, [0] first */
    /* The next two count for all threads that ever had the record. */
    uint64_t allocations;    /* atomic: written by the owner; blocks that malloc took up to the last exchange */
    uint64_t frees;          /* atomic: written by the owner; blocks that free stored up to the last exchange */
    uint16_t loaded_level;   /* atomic: written by the owner; blocks in the loaded magazine after the last exchange */
    uint16_t returned_level; /* atomic: written by the owner; blocks in the returned magazine after the last exchange */
    uint8_t unused_slots;    /* atomic: written by the owner; slots at each magazine's base that it may not use yet */
    uint8_t loaded_unused;   /* atomic: written by the owner; for record_signed: RECORD_HALF_SLOTS less if packed */
    uint8_t stashed;         /* atomic: written by the owner; full magazines in the stash */
    bool loaded_zeroed;      /* owner; every block in the loaded magazine reads zero */
    uint8_t is_used;         /* owner; RECORD_USED_*: exchanged since the last look of that kind */
    uint8_t batch;           /* owner; blocks that the last refill wanted; 0: none since the last flush */
    uint8_t recent_exchanges; /* owner; exchanges of the class since the thread's exchange number `counted_from` */
    uint8_t overflows;        /* owner; full returned magazines since the loaded one was last empty */
    uint8_t checks;           /* owner; exchanges that asked for a check, CHECK_FIRST or more once there were so many */
    uint8_t holder;           /* atomic; enum exchange_holder */
    uint16_t counted_from;    /* owner; low bits of the thread's `exchanges` when recent_exchanges was last 0 */
};

/* What every thread touches fits one page, over all classes. */
HAK_STATIC_ASSERT(sizeof(struct hak_thread_class) == 48, "a thread that allocates little costs little");

/* A class's further magazines: stash.h. */
struct hak_thread_stash {
    void **full;    /* atomic: written by the owner; list of `stashed` full magazines, the youngest first */
    void **emptied; /* owner; magazines that were taken out, to be filled again */
};

/* When the thread's next sample of a class is due (sampling.h). */
struct hak_thread_sample {
    uint64_t at;  /* owner; the allocation of this number is sampled */
    void *parked; /* atomic: written by the owner; the block of the loaded magazine whose slot holds NULL instead */
    uint16_t parked_at; /* owner; that slot, from the magazine's base on */
    uint8_t thinning;   /* owner; that of the thread when `at` was drawn */
    uint32_t epoch;     /* owner; hak_sampling_epoch when `at` was drawn; 0: never drawn */
};

/* The generator that a thread draws samples from. It stays in the record, so that later threads of the record draw
 * other numbers. */
struct hak_thread_chance {
    uint64_t random;   /* owner; never 0 where it is used */
    uint64_t since_ms; /* owner, as the next two; sample/thinning.h: what was spent counts from then on */
    uint32_t epoch;    /* owner; hak_sampling_epoch when it was seeded; 0: never seeded */
    uint16_t spent;    /* on samples */
    uint8_t thinning;  /* by what power of two fewer samples are taken; the next thread of the record begins with it */
};

/* What earlier threads of the record had counted, over all classes, when its thread began. */
struct hak_thread_former {
    uint64_t allocations, frees, exchanges, remote_frees;
};

/* Values of `tops`. */
#define RECORD_HAS_TOPS 1u /* a thread has the record: `loaded` and `returned` may be followed */
#define RECORD_READER 2u   /* for each reader that follows them now */

#define RECORD_WORDS ((HAK_CLASS_COUNT + 63) / 64)

/* Owner number of the slabs that serve threads without magazines (shared.h). */
#define THREAD_NUMBER_SHARED 1u

struct hak_thread {
    /* First, so that the first cache line of the page holds class 0, which nobody uses. Programs that touch every page
     * of their blocks touch its first line, so these lines are the likeliest to have been evicted from the caches. */
    struct hak_thread_class classes[HAK_CLASS_COUNT];
    void ***loaded;           /* the thread's hak_loaded, or limited_loaded; constant while the thread lives */
    void ***returned;         /* the thread's hak_returned; constant while the thread lives */
    struct hak_thread *older; /* constant after it is set: the record that was made before this one */
    struct hak_thread *next;  /* threads lock: free records */
    struct hak_thread **link; /* threads lock; what points at this free record, its own `next`, NULL: record_list.h */
    uint32_t number;          /* constant after it is set; from 2, see THREAD_NUMBER_SHARED */
    uint32_t sequence;        /* atomic; odd while the owner exchanges, begins or ends; never falls */
    uint32_t tops;            /* atomic; who may read the thread's tops, see reading.h */
    uint32_t tid;             /* atomic: written by the owner; the kernel's number of the thread that has the record */
    uint64_t begun;           /* atomic: written by the owner; how many threads had begun by then, from 1 */
    uint64_t ended_ms;        /* threads lock; of a recycled record: when its thread ended */
    uint32_t idle_sequence;   /* purge lock, as the next two; `sequence` when it was last looked at */
    bool idle_is_taken;       /* its slabs of all classes were taken since then */
    uint64_t idle_since_ms;   /* when `sequence` was first found as it is */
    uint64_t exchanges;       /* atomic: written by the owner; of all threads that ever had the record */
    uint64_t remote_frees;    /* likewise */
    struct hak_thread_former former;  /* atomic, each: written by the owner */
    uint64_t exchanged[RECORD_WORDS]; /* atomic: written by the owner; the classes that were ever exchanged */
    uint32_t magazines_used;          /* owner; of `magazines` */
    uint32_t magazines_touched;       /* owner; the most of them that were used since the pages last went back */
    uint32_t spares_used;             /* owner; of the used ones, what the stashes took */
    uint8_t check_stamp;              /* owner; the current stamp of `check_stamps` */
    size_t loaded_above_tiny;         /* owner; bytes of classes above tiny, since unused ones were last looked for */
    size_t grown; /* owner; bytes of slabs made of clean chunks since hak_exchange_flush_before_growth looked */
    struct hak_thread_chance chance; /* touched only while the profile is on, as are `samples` */
    /* Guard builds, while the shadow has the limited form: the loaded magazines' tops. hak_loaded then holds empty
     * magazines, so that malloc takes the slow path without a further test. */
    void **limited_loaded[HAK_GUARD_EXACT ? HAK_CLASS_COUNT : 0];
    /* From here on nothing outlasts the thread, and pages go back when it has ended (record_list.h).
     * Owner; exchange_check.h: an entry with the current stamp means that the check has seen a pointer of this entry. In
     * one page, because every thread touches it. */
    uint8_t check_stamps[HAK_GUARD_EXACT ? 0 : 1u << THREAD_CHECK_BITS] __attribute__((aligned(RECORD_PAGE_BYTES)));
    struct hak_thread_stash stashes[HAK_CLASS_COUNT];  /* owner; touched only for classes with a stash */
    struct hak_thread_sample samples[HAK_CLASS_COUNT]; /* owner */
    /* Owner; storage, of two magazines a class and the stashes'. Below the first slot of a magazine nothing is written
     * but the NULL there, in the stash the link, and where a class is packed its loaded magazine. */
    void *magazines[THREAD_MAGAZINES][MAGAZINE_SLOTS] __attribute__((aligned(RECORD_PAGE_BYTES)));
};

/* Counts outlast the thread, so they lie where pages are never taken. */
HAK_STATIC_ASSERT(offsetof(struct hak_thread, exchanged) < offsetof(struct hak_thread, check_stamps) &&
                      offsetof(struct hak_thread, former) < offsetof(struct hak_thread, check_stamps) &&
                      offsetof(struct hak_thread, check_stamps) <= (size_t)2 * RECORD_PAGE_BYTES,
                  "what outlasts a thread is a page; two with limited_loaded, or with more classes than are shipped");

/* Base of an empty magazine with this room, in storage that was not used yet. */
HAK_ALWAYS_INLINE void **record_new_magazine(struct hak_thread *thread, uint32_t room) {
    void **base = &thread->magazines[thread->magazines_used++][MAGAZINE_SLOTS - room];
    /* The thread that had the record before may have used this slot. Relaxed: hak_walk may read it. */
    hak_store_relaxed(&base[-1], NULL);
    return base;
}

/* Base of an empty loaded magazine in the storage of the returned one with this base, which has the same room.
 * pre: at most RECORD_PACKED_MOST */
HAK_ALWAYS_INLINE void **record_pack(void **returned) {
    void **base = returned - RECORD_HALF_SLOTS;
    hak_store_relaxed(&base[-1], NULL); /* as above */
    return base;
}

/* The record that was made last; the others follow by `older`. The list only grows, and needs no lock. NULL: there is none */
struct hak_thread *hak_record_newest(void);

/* Where it is kept: for tools outside of the process. */
extern struct hak_thread *hak_records;

/* Numbers a new record and makes it the newest. pre: under the threads lock */
void hak_record_add(struct hak_thread *thread);

/* Address space of a record, bytes. Any thread. */
size_t hak_record_bytes(void);

/* magazine_take while hak_loaded holds empty magazines. NULL also for `thread` NULL. */
HAK_COLD void *hak_record_take_limited(struct hak_thread *thread, unsigned class_index);

/* magazine_pop for slow paths, which mark the block as live themselves; for either form of the shadow. */
HAK_FAST_PATH void *magazine_take(unsigned class_index) {
    if (HAK_GUARD_EXACT && HAK_UNLIKELY(hak_load_setting(&hak_shadow.limit) == 0)) {
        return hak_record_take_limited(hak_self, class_index);
    }
    return magazine_pop_and_mark(class_index, false);
}

#endif
