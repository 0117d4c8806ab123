/* SPDX-License-Identifier: MIT */
/* A thread's record: its magazines' storage, its active slabs, its counts.
 *
 * Made at the thread's first allocation, given up by a destructor at its end, reused by later threads. The
 * record lives in a mapping of its own; only the pages of classes that the thread uses become resident. */
#ifndef HAKMEM_MAGAZINE_THREAD_H
#define HAKMEM_MAGAZINE_THREAD_H

#include "hakmem/base/lock.h"
#include "hakmem/magazine/magazine_fast.h"
#include "hakmem/slab/slab.h"

/* Magazines of a record for the stashes of its classes: as many as some 16 classes in constant use fill. */
#define THREAD_SPARES 64

/* Entries of check_stamps, as a power of two: with magazines of 64 blocks one look in two has two pointers that share one. */
#define THREAD_CHECK_BITS 12

struct hak_thread_class {
    struct slab *active[2]; /* owner; A, taken from first, and B */
    uint64_t allocations;   /* atomic: written by the owner; up to the last exchange */
    uint64_t frees;         /* likewise */
    uint16_t loaded_level;  /* atomic: likewise; blocks in the loaded magazine after the last exchange */
    uint16_t returned_level;
    uint8_t floor;      /* atomic: likewise; slots at the base of each magazine that are not in use yet */
    uint8_t stashed;    /* atomic: likewise; full magazines in the stash */
    bool loaded_zeroed; /* owner; every block in the loaded magazine reads zero */
    bool recent;        /* owner; exchanged since exchange_bound last looked */
    uint8_t batch;      /* owner; blocks that the last refill asked for; 0: none since the magazines were emptied */
    uint8_t turns;      /* owner; exchanges of the class since `since` */
    uint8_t overflows;  /* owner; full returned magazines since the loaded one was last empty */
    uint8_t
        checks; /* owner; exchange_check.h: looks at the returned magazine, CHECK_FIRST or more once it had so many */
    uint16_t since; /* owner; low bits of the thread's `exchanges` then */
};

/* With all classes, what every thread touches fits a page. */
HAK_STATIC_ASSERT(sizeof(struct hak_thread_class) == 48, "a thread that allocates little costs little");

/* A class's magazines beside its two: stash.h. */
struct hak_thread_stash {
    void **full;    /* owner; atomic: hak_walk looks; the youngest first; as many as `stashed` says */
    void **emptied; /* owner; those that came out and wait to be filled again */
};

/* When the thread's next sample of a class is due (profiled.h). */
struct hak_thread_sample {
    uint64_t at;  /* owner; the allocation of this number is sampled */
    void *parked; /* atomic: written by the owner; the block of the loaded magazine whose slot holds NULL instead */
    uint32_t parked_at; /* owner; that slot, from the magazine's base on */
    uint32_t epoch;     /* owner; hak_profile_epoch when `at` was drawn; 0: it was not */
};

/* What a thread draws from; kept by later threads of the record, which are to draw other numbers. */
struct hak_thread_chance {
    uint64_t random; /* owner; never 0 where it is used */
    uint32_t epoch;  /* owner; hak_profile_epoch when it was seeded; 0: it was not */
};

struct hak_thread {
    /* First, because the first line of a page is the one that programs write which touch each page of their blocks, and so
     * the likeliest to be in no cache: here it holds class 0, which nobody uses. */
    struct hak_thread_class classes[HAK_CLASS_COUNT];
    void ***loaded;            /* the thread's hak_loaded, or limited_loaded; constant while it lives */
    void ***returned;          /* likewise */
    struct hak_thread *next;   /* threads lock: living records, or free ones */
    struct hak_thread **link;  /* threads lock: what points at this record */
    uint32_t number;           /* constant; from 2, see THREAD_NUMBER_SHARED */
    uint32_t sequence;         /* atomic; odd while the owner exchanges */
    uint32_t tid;              /* threads lock; the kernel's number of the thread that has the record */
    uint64_t exchanges;        /* atomic: written by the owner */
    uint64_t remote_frees;     /* likewise */
    uint32_t spares_used;      /* owner; of the slots below */
    size_t large_loaded_bytes; /* owner; of classes above tiny, since exchange_bound last summed them up */
    /* Owner; two magazines a class. Nothing below the first slot of a magazine is ever written. */
    void *slots[HAK_CLASS_COUNT - 1][2][MAGAZINE_SLOTS] __attribute__((aligned(MAGAZINE_BYTES)));
    /* Owner; for the stashes, which take one after the other as they grow. */
    void *spares[THREAD_SPARES][MAGAZINE_SLOTS];
    struct hak_thread_stash stashes[HAK_CLASS_COUNT];  /* owner; touched where there is a stash only, as the next */
    struct hak_thread_sample samples[HAK_CLASS_COUNT]; /* owner; touched while the profile is on only, as the next */
    struct hak_thread_chance chance;
    /* Owner; exchange_check.h: pointers that have the stamp of the present look were seen in it, or share an entry with one. */
    uint8_t check_stamp;
    uint8_t check_stamps[HAK_GUARD_EXACT ? 0 : 1u << THREAD_CHECK_BITS];
    /* Builds with guard where the shadow is of the limited form: the tops, while hak_loaded gives nothing, so that malloc takes
     * the slow path without a test of its own. */
    void **limited_loaded[HAK_GUARD_EXACT ? HAK_CLASS_COUNT : 0];
};

/* magazine_take where hak_loaded gives nothing. NULL where the thread has not begun, too. */
HAK_COLD void *hak_thread_take_limited(struct hak_thread *thread, unsigned class_index);

/* magazine_pop for slow paths, which mark the block themselves, in either form of the shadow. */
HAK_FAST_PATH void *magazine_take(unsigned class_index) {
    if (HAK_GUARD_EXACT && HAK_UNLIKELY(hak_load_setting(&hak_shadow.limit) == 0)) {
        return hak_thread_take_limited(hak_self, class_index);
    }
    return magazine_pop_and_mark(class_index, false);
}

/* Owner number of the slabs that serve threads without magazines. */
#define THREAD_NUMBER_SHARED 1u

/* Bytes that a magazine has room for until its class shows that it is exchanged often, and the least blocks. */
#define THREAD_FIRST_BYTES 16384u
#define THREAD_FIRST_BLOCKS 8u

/* Blocks larger than this stay in no magazine: what writing them takes makes up for the longer way, and each would hold
 * that much memory. */
#define THREAD_CACHED_MAX_BYTES 262144u

/* Called once, by hak_process_begin. Where the process has no key for the destructor left, no thread ever
 * begins, and all are served as shared.h says. */
void hak_thread_init(void);

/* The calling thread's record, made where it has none. NULL: the thread has ended, or there is no memory. */
struct hak_thread *hak_thread_begin(void);

/* Around fork: the child finds the list of records consistent. */
void hak_thread_fork_locks(lock_visit *visit, struct lock_fork *fork);

/* Whether the calling thread is in the middle of an exchange: a signal handler interrupted it. */
bool hak_thread_is_inside(void);

/* In the child, where only the calling thread is left: what the others had in their magazines goes back to the
 * slabs. A thread that was in the middle of an exchange keeps what it had, for good: nobody can tell how far it
 * came. All do where the fork interrupted the allocator (`is_whole` is false): what takes blocks back may be half-way,
 * and its locks be held. Then the calling thread holds no other lock than what it held before. */
void hak_thread_fork_child(bool is_whole);

/* Counts of one class, and what magazines hold of it. */
struct thread_class_totals {
    uint64_t allocations, frees;
    uint64_t cached_blocks;
};

struct thread_totals {
    uint64_t exchanges, remote_frees;
    uint64_t metadata_bytes;
};

/* The living records, linked by `next`, for readers (reading.h): no thread begins or ends while the list is held. Takes
 * the threads lock. */
const struct hak_thread *hak_thread_list_acquire(void);
void hak_thread_list_release(void);

/* What ended threads have counted, and the bytes of all records. pre: the list is held */
struct thread_class_totals hak_thread_ended_locked(unsigned class_index);
struct thread_totals hak_thread_ended_totals_locked(void);

#endif
