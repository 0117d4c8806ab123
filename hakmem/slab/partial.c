/* SPDX-License-Identifier: MIT */
/* Lists of PARTIAL slabs, by the share of free blocks, and by whether there is anything to purge; see partial.h.
 *
 * The class lock guards the lists (list.h), `link`, `bucket`, and every state change from FULL and PARTIAL. These
 * functions take only one other lock, the region lock, and not while they hold the class lock.
 *
 * Each list begins with the slab that was listed last, which a claim takes, and ends with the one that was listed first,
 * which a purge takes. A slab of which no more blocks are free than at its last purge has CONTROL_PURGED set and is in a
 * list of purged slabs; the next free moves it. So a purge looks at no slab that it does not purge. */
#include "hakmem/slab/partial.h"

#include "hakmem/base/lock.h"
#include "hakmem/base/probe.h"
#include "hakmem/guard/guard.h"
#include "hakmem/os/os.h"
#include "hakmem/region/decay.h"
#include "hakmem/region/node.h"
#include "hakmem/slab/check.h"
#include "hakmem/slab/control.h"
#include "hakmem/slab/list.h"
#include "hakmem/slab/moving.h"
#include "hakmem/slab/random.h"

/* A slab's bucket is its level, and that much more where it has nothing to purge. */
#define PARTIAL_PURGED CONTROL_LEVEL_LAST
#define PARTIAL_BUCKETS (PARTIAL_PURGED + CONTROL_LEVEL_LAST + 1)

struct partial_list {
    struct slab_list slabs;
    uint32_t count; /* of its slabs */
};

struct partial_lists {
    struct hak_lock lock;
    struct partial_list buckets[PARTIAL_BUCKETS]; /* of node 0; index 0 stays empty */
} HAK_CACHE_ALIGNED;

/* Class lock of their class, likewise; of the nodes from 1 on. */
static struct partial_list partial_far[NODES_MAX - 1][HAK_CLASS_COUNT][PARTIAL_BUCKETS];

static struct partial_lists partial_lists[HAK_CLASS_COUNT] = {
    [0 ... HAK_CLASS_COUNT - 1] = {.lock = HAK_LOCK_INITIALIZER(HAK_RANK_CLASS)},
};

/* The lists of a class and node. */
HAK_ALWAYS_INLINE struct partial_list *partial_buckets(struct partial_lists *lists, unsigned node) {
    return HAK_LIKELY(node == 0) ? lists->buckets : partial_far[node - 1][lists - partial_lists];
}

/* Those that the slab belongs to: a slab is of its region's node. */
HAK_ALWAYS_INLINE struct partial_list *partial_buckets_of(struct partial_lists *lists, const struct slab *slab) {
    if (HAK_LIKELY(hak_node_count == 1)) {
        return lists->buckets;
    }
    const unsigned node = region_of(slab)->node;
    slab_expect(node < hak_node_count, slab, "its region is of no node");
    return partial_buckets(lists, node);
}

static size_t partial_unpurged; /* atomic; sum of listed_free over all lists, in bytes */
static size_t partial_purged;   /* atomic; sum of purged_free, likewise */

/* Relaxed: a hint of how much there is to purge. */
static void partial_count_unpurged(const struct partial_lists *lists, const struct slab *slab, size_t sign) {
    hak_fetch_add_relaxed(&partial_unpurged, sign * slab->listed_free * hak_classes[lists - partial_lists].block_size);
}

/* Relaxed, likewise. Most slabs were not purged since they were claimed, and make no step. */
static void partial_count_purged(const struct partial_lists *lists, const struct slab *slab, size_t sign) {
    if (slab->purged_free != 0) {
        hak_fetch_add_relaxed(&partial_purged,
                              sign * slab->purged_free * hak_classes[lists - partial_lists].block_size);
    }
}

size_t hak_partial_unpurged_bytes(void) { return hak_load_relaxed(&partial_unpurged); }

size_t hak_partial_purged_bytes(void) { return hak_load_relaxed(&partial_purged); }

/* Notes that nothing is to be purged, and returns the count of free blocks at that moment. Acquire-release, as all that
 * changes the word: a free that is not in this count finds the flag. */
static int64_t partial_note_purged_locked(struct slab *slab) {
    DISTURB();
    return control_count(hak_fetch_add_acq_rel(&slab->control, CONTROL_PURGED));
}

static void partial_forget_purged_locked(struct slab *slab) {
    if ((hak_load_relaxed(&slab->control) & CONTROL_PURGED) != 0) {
        hak_fetch_add_acq_rel(&slab->control, -CONTROL_PURGED);
    }
}

/* Result: whether the slab is to be purged some time. pre: it is PARTIAL, without CONTROL_PURGED */
static bool partial_link_locked(struct partial_lists *lists, struct slab *slab, unsigned level, int64_t free_blocks,
                                uint64_t now_ms) {
    if (free_blocks <= (int64_t)slab->purged_free) {
        free_blocks = partial_note_purged_locked(slab);
    }
    const bool is_to_purge = free_blocks > (int64_t)slab->purged_free;
    slab->listed_at_ms = now_ms;
    slab->listed_free = is_to_purge ? (uint32_t)free_blocks - slab->purged_free : 0;
    slab->bucket = (uint8_t)(is_to_purge ? level : level + PARTIAL_PURGED);
    if (is_to_purge) {
        partial_forget_purged_locked(slab);
        partial_count_unpurged(lists, slab, 1);
    }
    partial_count_purged(lists, slab, 1);
    struct partial_list *const list = &partial_buckets_of(lists, slab)[slab->bucket];
    hak_list_link(&list->slabs, slab);
    list->count++;
    return is_to_purge;
}

static void partial_unlink_locked(struct partial_lists *lists, struct slab *slab) {
    const unsigned bucket = slab->bucket;
    slab_expect(bucket != 0 && bucket < PARTIAL_BUCKETS, slab, "it is in no list of its class");
    const bool is_to_purge = bucket <= CONTROL_LEVEL_LAST;
    slab_expect(is_to_purge == (slab->listed_free != 0), slab, "its list says otherwise whether it was purged");
    struct partial_list *const list = &partial_buckets_of(lists, slab)[bucket];
    hak_list_unlink(&list->slabs, slab);
    list->count--;
    partial_count_purged(lists, slab, (size_t)-1);
    if (is_to_purge) {
        partial_count_unpurged(lists, slab, (size_t)-1);
    } else {
        partial_forget_purged_locked(slab);
    }
}

enum partial_change { PARTIAL_STAYS, PARTIAL_QUEUED, PARTIAL_EMPTIED };

/* PARTIAL_QUEUED: something is to be purged. PARTIAL_EMPTIED: every block is free; the slab is EMPTY then, and the caller
 * returns its span. */
static enum partial_change partial_relist_locked(struct partial_lists *lists, struct slab *slab, unsigned class_index,
                                                 uint64_t now_ms) {
    /* Acquire: pairs with the acquire-release additions of freeing threads and of hak_slab_detach. */
    uint64_t control = hak_load_acquire(&slab->control);
    enum slab_state state = control_state(control);
    if (control_class(control) != class_index || (state != SLAB_FULL && state != SLAB_PARTIAL)) {
        return PARTIAL_STAYS;
    }
    /* Relaxed: who gave the slab up stored it before the state. */
    slab_expect(hak_load_relaxed(&slab->owner) == SLAB_NOBODY, slab, SLAB_NOT_OWNED);
    const int64_t free_blocks = control_count(control);
    unsigned level = control_level(free_blocks, hak_classes[class_index].blocks);
    const bool was_purged = (control & CONTROL_PURGED) != 0;
    const bool is_in_place = level + (was_purged ? PARTIAL_PURGED : 0) == slab->bucket &&
                             (!was_purged || free_blocks <= (int64_t)slab->purged_free);
    if (level == CONTROL_LEVEL_FULL || (state == SLAB_PARTIAL && is_in_place)) {
        return PARTIAL_STAYS;
    }
    if (state == SLAB_PARTIAL) {
        partial_unlink_locked(lists, slab);
    }
    DISTURB();
    if (level == CONTROL_LEVEL_EMPTY) {
        /* Release: pairs with the acquire above in a thread whose relist comes too late. Nobody adds to the
         * count any more, since every block's free is counted. */
        hak_store_release(&slab->control, control_make(SLAB_EMPTY, 0));
        return PARTIAL_EMPTIED;
    }
    if (state == SLAB_FULL) {
        /* An addition, since others add to the count meanwhile. Acquire-release as theirs. */
        hak_fetch_add_acq_rel(&slab->control, control_delta(SLAB_FULL, SLAB_PARTIAL, 0));
    }
    return partial_link_locked(lists, slab, level, free_blocks, now_ms) ? PARTIAL_QUEUED : PARTIAL_STAYS;
}

/* Makes an EMPTY slab ready for the next one at its place, and returns its span. */
static void partial_give_back(struct slab *slab, unsigned class_index) {
    const struct hak_class *constants = &hak_classes[class_index];
    uint64_t *const free_bits = slab_free_bits(slab, class_index);
    uint64_t *const remote_bits = slab_remote_bits(slab, class_index);
    const uint32_t words = constants->bitmap_words;
    const uint64_t last = ~(uint64_t)0 >> (words * 64 - constants->blocks);
    for (uint32_t word = 0; word < words; word++) {
        /* Relaxed, all: the slab is nobody's now. A new slab expects the remote bits clear. */
        const uint64_t remote = hak_load_relaxed(&remote_bits[word]);
        slab_expect((hak_load_relaxed(&free_bits[word]) | remote) == (word + 1 < words ? ~(uint64_t)0 : last), slab,
                    "all blocks are counted as free, and not all are");
        if (remote != 0) {
            hak_store_relaxed(&remote_bits[word], (uint64_t)0);
        }
    }
    PROBE_3(slab_release, slab_base(slab), class_index, constants->chunks);
    hak_region_span_free(region_of(slab), slab_chunk(slab), constants->chunks);
}

void hak_partial_relist(struct slab *slab, unsigned class_index) {
    struct partial_lists *lists = &partial_lists[class_index];
    const uint64_t now_ms = hak_os_clock_ms();
    lock_acquire(&lists->lock);
    const enum partial_change change = partial_relist_locked(lists, slab, class_index, now_ms);
    lock_release(&lists->lock);
    if (change == PARTIAL_QUEUED) {
        hak_decay_note_freed(now_ms);
    }
    DISTURB();
    if (change == PARTIAL_EMPTIED) {
        partial_give_back(slab, class_index);
    }
}

/* From its list into the caller's hands. */
HAK_ALWAYS_INLINE void partial_own_locked(struct partial_lists *lists, struct slab *slab) {
    partial_unlink_locked(lists, slab);
    /* From now on the count holds only what is not drained: the bits that the last owner left free are taken
     * out. Acquire-release: pairs with hak_slab_detach, whose bits are read next. */
    const uint64_t change =
        control_delta(SLAB_PARTIAL, SLAB_OWNED, -(int64_t)slab->free_count) - control_has_free(slab->free_count);
    const uint64_t before = hak_fetch_add_acq_rel(&slab->control, change);
    const unsigned class_index = (unsigned)(lists - partial_lists);
    slab_expect(control_low(before) == (control_make(SLAB_PARTIAL, class_index) | control_has_free(slab->free_count)),
                slab, "it is in a list, and not PARTIAL");
}

/* Of the fullest level that has a slab; one whose free pages are resident if there is one. NULL: no level has. */
static struct slab *partial_fullest_locked(const struct partial_list *buckets) {
    for (unsigned level = 1; level <= CONTROL_LEVEL_LAST; level++) {
        const struct partial_list *const list = &buckets[level];
        if (!list_is_empty(&list->slabs)) {
            return hak_list_first(&list->slabs);
        }
        if (!list_is_empty(&list[PARTIAL_PURGED].slabs)) {
            return hak_list_first(&list[PARTIAL_PURGED].slabs);
        }
    }
    return NULL;
}

struct slab *hak_partial_claim(unsigned class_index) {
    struct partial_lists *lists = &partial_lists[class_index];
    const unsigned node = node_now();
    struct slab *slab = NULL;
    lock_acquire(&lists->lock);
    /* Of another node rather than a new one: a slab that is hardly used holds its pages wherever they are. */
    for (unsigned step = 0; step < hak_node_count && slab == NULL; step++) {
        slab = partial_fullest_locked(partial_buckets(lists, node_after(node, step)));
    }
    if (HAK_GUARD_FULL && guard_has(HAK_FEATURE_RANDOM) && slab != NULL) {
        slab = hak_slab_pick_random(slab);
    }
    if (slab != NULL) {
        partial_own_locked(lists, slab);
        slab->purged_free = 0; /* its pages will be touched again */
    }
    lock_release(&lists->lock);
    return slab;
}

/* Slabs that one hold of the class lock takes out for purging: few enough that other threads find slabs meanwhile. And
 * those that one piece purges, so that a fork does not wait for more. */
#define PARTIAL_PURGE_BATCH 32
#define PARTIAL_PURGE_PIECE 64

/* The lists of a class that a purge takes from, of all nodes, in the order in which it comes to them. */
static const struct partial_list *partial_unpurged_list(struct partial_lists *lists, unsigned list) {
    return &partial_buckets(lists, list / CONTROL_LEVEL_LAST)[list % CONTROL_LEVEL_LAST + 1];
}

/* The pass goes on to the next list of its class. false: it was in all of them */
static bool partial_next_list_locked(struct partial_lists *lists, struct decay_pass *pass) {
    if (pass->lists == hak_node_count * CONTROL_LEVEL_LAST) {
        return false;
    }
    pass->list_left = partial_unpurged_list(lists, pass->lists++)->count;
    return true;
}

/* At most `most` slabs of the pass's class that are due for purging, the oldest of each level first, now OWNED by the caller.
 * Result: how many; fewer than `most`: the class is done.
 *
 * Of each list no more are taken than were in it when the pass came to it. Else a pass over everything would not end where others
 * free into what it has purged, which lists the slab anew, as fast as it purges. What was listed when the pass began is among
 * them all the same: the oldest are taken first, and a free moves a slab only to the list of an emptier level, which is
 * counted later. */
static unsigned partial_own_unpurged(struct partial_lists *lists, struct decay_pass *pass, struct slab **batch,
                                     unsigned most) {
    unsigned count = 0;
    lock_acquire(&lists->lock);
    do {
        struct slab *slab;
        for (; count < most && pass->list_left > 0; pass->list_left--) {
            slab = hak_list_last(&partial_unpurged_list(lists, pass->lists - 1)->slabs);
            if (slab == NULL || slab->listed_at_ms > pass->freed_until_ms) {
                break;
            }
            partial_own_locked(lists, slab);
            batch[count++] = slab;
        }
    } while (count < most && partial_next_list_locked(lists, pass));
    lock_release(&lists->lock);
    return count;
}

bool hak_partial_purge_piece(struct decay_pass *pass) {
    unsigned done = 0;
    while (pass->class_index < HAK_CLASS_COUNT && pass->left > 0 && done < PARTIAL_PURGE_PIECE) {
        const unsigned most =
            PARTIAL_PURGE_PIECE - done < PARTIAL_PURGE_BATCH ? PARTIAL_PURGE_PIECE - done : PARTIAL_PURGE_BATCH;
        struct slab *batch[PARTIAL_PURGE_BATCH];
        const unsigned count = partial_own_unpurged(&partial_lists[pass->class_index], pass, batch, most);
        if (count > 0) {
            hak_moving_begin(); /* a drain moves bits from one word to another */
        }
        for (unsigned i = 0; i < count; i++) {
            hak_slab_drain(batch[i], pass->class_index);
            DISTURB();
            pass->purged += hak_slab_purge_free_pages(batch[i], pass->class_index, pass);
            batch[i]->purged_free = batch[i]->free_count;
            DISTURB();
            hak_slab_detach(batch[i], pass->class_index);
        }
        if (count > 0) {
            hak_moving_end();
        }
        done += count;
        decay_pass_spend(pass, (size_t)count * hak_classes[pass->class_index].chunks * HAK_CHUNK_BYTES);
        if (count < most) {
            pass->class_index++;
            pass->lists = pass->list_left = 0;
        }
    }
    return pass->class_index == HAK_CLASS_COUNT;
}

void hak_partial_fork_locks(lock_visit *visit, struct lock_fork *fork) {
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        visit(&partial_lists[class_index].lock, fork);
    }
}
