/* SPDX-License-Identifier: MIT */
/* When freed memory goes back to the system: HAKMEM_PURGE_DELAY_MS after it was freed, or earlier if much of it waits.
 *
 * This file has the time of the next purge, and the position of a purge that is under way. Regions, kept mappings and
 * slabs note here that they freed something; process/purge_pass.c purges when the time has come. Any thread, no locks. */
#ifndef HAKMEM_REGION_DECAY_H
#define HAKMEM_REGION_DECAY_H

#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"

/* Notes a free at `now_ms`: schedules a purge for one purge delay later, unless one is due earlier. */
void hak_decay_note_freed(uint64_t now_ms);

/* Schedules a purge at `due_ms`, unless one is due earlier. */
void hak_decay_schedule(uint64_t due_ms);

/* Atomic; the time of the next look in ms, 0: nothing decays. */
extern HAK_INTERNAL uint64_t hak_decay_due;

/* Time of the next look; 0: nothing decays. Relaxed: a look that comes a little late is still a look. */
HAK_ALWAYS_INLINE uint64_t decay_due_ms(void) { return hak_load_relaxed(&hak_decay_due); }

/* Whether anything decays; asked by a thread before it stops polling. */
bool hak_decay_is_due(void);

/* Assigns the next purge to the calling thread; false if another thread has it, or nothing decays. */
bool hak_decay_take(void);

/* When what the system refused to take was freed: it is no older than anything, so only DECAY_EVERYTHING asks again. */
#define DECAY_REFUSED_MS UINT64_MAX

/* As the age of a pass: everything that is free, and what was refused too; or all but that. */
#define DECAY_EVERYTHING UINT64_MAX
#define DECAY_ALL_NEW (UINT64_MAX - 1)

struct hak_thread;
struct region;

/* One look at all that waits, in pieces: each call of a purge goes on where the one before stopped. Of the thread that
 * looks, from {.freed_until_ms = ..} on. */
struct decay_pass {
    uint64_t freed_until_ms; /* what was freed later stays */
    bool by_mapping;         /* by hak_os_purge_by_mapping, where the range allows it */
    bool chunks_first;       /* before pages of slabs in use, which are taken from first */
    size_t left;             /* bytes until the piece ends; what is looked at in vain counts too */
    size_t purged;           /* bytes that went back, in all pieces */
    bool has_idle;           /* slabs of idle threads: done, or not looked for */
    bool has_begun_idle;     /* likewise: `idle` is the record that the pass has come to, NULL behind the last one */
    bool idle_is_pending;    /* likewise: of those before it some had not been idle for long enough */
    unsigned idle_class;     /* likewise: the next class to take slabs of */
    uint32_t idle_sequence;  /* likewise: the record's `sequence` when the pass came to it */
    struct hak_thread *idle; /* see has_begun_idle */
    unsigned class_index;    /* slabs: the classes before it are done */
    unsigned lists;          /* slabs: the lists of the class that the pass has come to, the last of which it is in */
    uint32_t list_left;      /* slabs: how many it still takes out of that one */
    struct region *region;   /* chunks: the regions before it are done; NULL: none is */
    unsigned chunk;          /* likewise of its chunks */
    uint64_t begun_ms;       /* kept mappings, and records: when the pass came to them; 0: it has not yet */
};

/* Up to when that was freed which the pass takes of kept mappings and records: not since it came to them. Else it would not
 * end where others free as fast as it purges. */
uint64_t hak_decay_pass_until(struct decay_pass *pass);

/* Notes that `bytes` were examined. */
HAK_ALWAYS_INLINE void decay_pass_spend(struct decay_pass *pass, size_t bytes) {
    pass->left = pass->left > bytes ? pass->left - bytes : 0;
}

#endif
