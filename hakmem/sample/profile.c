/* SPDX-License-Identifier: MIT */
/* See profile.h. A sampled block is in the live table from hak_profile_alloc to hak_profile_forget. */
#include "hakmem/sample/profile.h"

#include <errno.h>

#include "hakmem/base/assert.h"
#include "hakmem/base/bits.h"
#include "hakmem/base/lock.h"
#include "hakmem/base/observer.h"
#include "hakmem/base/options.h"
#include "hakmem/base/random.h"
#include "hakmem/base/warning.h"
#include "hakmem/misuse/misuse.h"
#include "hakmem/os/os.h"
#include "hakmem/region/block_table.h"
#include "hakmem/sample/chance.h"
#include "hakmem/sample/freed.h"
#include "hakmem/sample/live.h"
#include "hakmem/sample/stack_capture.h"
#include "hakmem/sample/stack_memo.h"
#include "hakmem/slab/list.h"
#include "hakmem/slab/slab.h"

HAK_THREAD_LOCAL const void *hak_profile_site;

static struct hak_lock profile_lock = HAK_LOCK_INITIALIZER(HAK_RANK_PROFILE);
static struct hak_profile_table *profile_samples; /* atomic; set once, under the profile lock */
static uint64_t profile_seeded;                   /* atomic; written before the epoch that it is for */
static uint64_t profile_random = 1;               /* profile lock; never 0 */
static struct block_table profile_huge;           /* profile lock; the live ones; of an entry the size is its record */
static uint64_t profile_live_blocks;              /* profile lock; these, and those of live.h */
static struct slab_list profile_slabs[HAK_CLASS_COUNT]; /* profile lock; those with a free block, see list.h */

HAK_STATIC_ASSERT(PROFILE_RECORDS < LIVE_NONE, "a record's number fits");

/* A sampled block that lives. */
struct profile_live {
    uint32_t record;
    unsigned class_index;     /* 0: huge */
    struct block_entry *huge; /* NULL: not huge */
};

/* The one that starts at p. false: none does */
static bool profile_find(const void *p, struct profile_live *out) {
    out->record = hak_live_find(p, &out->class_index);
    out->huge = NULL;
    if (out->record == LIVE_NONE) {
        out->class_index = PROFILE_HUGE;
        out->huge = hak_block_table_find(&profile_huge, p);
        out->record = out->huge == NULL ? LIVE_NONE : (uint32_t)out->huge->size;
    }
    return out->record != LIVE_NONE;
}

/* Relaxed: a thread that reads it late draws by the rate before once more. */
static uint64_t profile_rate(void) { return hak_load_relaxed(&profile_samples->rate); }

static int profile_make_table_locked(void) {
    void *memory;
    int error = profile_samples != NULL ? 0
                                        : hak_os_map(bits_round_up(sizeof *profile_samples, hak_os_page_size()),
                                                     hak_os_page_size(), &memory);
    if (error == 0 && profile_samples == NULL) {
        /* Release: pairs with the acquire of hak_profile_table. */
        hak_store_release(&profile_samples, (struct hak_profile_table *)memory);
    }
    return error;
}

/* Takes another rate. Counts of the one before mean something else, so they go; samples that are live cannot. */
static int profile_set_rate_locked(uint64_t rate) {
    if (profile_rate() != 0 && profile_rate() != rate) {
        if (profile_live_blocks != 0) {
            return EBUSY;
        }
        for (uint32_t i = 0; i < hak_record_count(profile_samples); i++) {
            hak_store_relaxed(&profile_samples->records[i].allocations, (uint64_t)0);
            hak_store_relaxed(&profile_samples->records[i].frees, (uint64_t)0);
        }
    }
    hak_store_relaxed(&profile_samples->rate, rate);
    observer_note_rate(profile_samples);
    return 0;
}

/* Release: pairs with hak_profile_random_of; the seed was written before. */
static void profile_next_epoch_locked(void) {
    hak_store_release(&hak_sampling_epoch, hak_load_relaxed(&hak_sampling_epoch) + 1);
}

int hak_profile_turn_on(uint64_t rate) {
    if (HAK_GUARD_FULL) {
        return ENOTSUP; /* canaries and quarantines are not kept for the profile's own slabs */
    }
    hak_stack_memo_init(false);
    lock_acquire(&profile_lock);
    int error = profile_make_table_locked();
    if (error == 0) {
        error = profile_set_rate_locked(rate);
    }
    if (error == 0) {
        profile_next_epoch_locked();
        /* Release: pairs with sampling_is_on. */
        hak_store_release(&hak_sampling_state, (uint32_t)SAMPLING_ON);
    }
    lock_release(&profile_lock);
    return error;
}

void hak_profile_turn_off(void) {
    lock_acquire(&profile_lock);
    if (hak_load_relaxed(&hak_sampling_state) == SAMPLING_ON) {
        hak_store_relaxed(&hak_sampling_state, (uint32_t)SAMPLING_STOPPED);
    }
    lock_release(&profile_lock);
}

/* For reports of misuse, which want the address that a call returns to. */
static void profile_misuse_sites(const void *block, struct hak_misuse_sites *sites) {
    struct profile_live live;
    const struct profile_record *record = profile_find(block, &live) ? &profile_samples->records[live.record] : NULL;
    if (record != NULL || hak_freed_find(block, &record, &sites->freed)) {
        sites->allocated = (const void *)(uintptr_t)(record->site + 1);
        sites->callers = record_callers(profile_samples, record);
        sites->caller_count = record_caller_count(record);
    }
}

void hak_profile_init(void) {
    hak_store_relaxed(&hak_sampling_state, (uint32_t)SAMPLING_NEVER);
    hak_profile_seed(hak_os_clock_ms());
    if (hak_options.profile[0] != '\0' || hak_options.leaks) {
        const uint64_t rate = hak_options.profile_rate != 0 ? (uint64_t)hak_options.profile_rate
                              : hak_options.leaks           ? 1
                                                            : PROFILE_RATE_DEFAULT;
        hak_misuse_sites_of = profile_misuse_sites;
        hak_stack_memo_init(true);
        if (hak_profile_turn_on(rate) != 0) {
            hak_report_warning("there is no profile: no memory, or a full guard build, which has none", NULL, NULL);
        }
    }
}

uint64_t hak_profile_draw(uint64_t *random, unsigned class_index) {
    return hak_chance_until_next(random, hak_classes[class_index].block_size, profile_rate());
}

uint64_t hak_profile_random_of(uint32_t thread_number) {
    /* Acquire: pairs with the next epoch; the seed is of that start, or of a later one. */
    const uint64_t epoch = hak_load_acquire(&hak_sampling_epoch);
    return random_mix(random_mix(hak_load_relaxed(&profile_seeded) + thread_number) + epoch) | 1;
}

bool hak_profile_try(unsigned class_index) {
    lock_acquire(&profile_lock);
    const bool is_sampled = hak_chance_try(&profile_random, hak_classes[class_index].block_size, profile_rate());
    lock_release(&profile_lock);
    return is_sampled;
}

/* A lost sample: fewer blocks are estimated than there are, and whoever reads the profile is told. */
static void profile_drop_locked(void) {
    hak_count_add(&profile_samples->dropped, 1);
    observer_note_sample(profile_samples, 0);
}

/* Enters a block. false: no room or no memory */
static bool profile_enter_locked(const void *start, unsigned class_index, uint64_t size,
                                 const struct hak_stack *stack) {
    const uint32_t record = hak_record_claim(profile_samples, stack, size);
    const bool is_huge = class_index == PROFILE_HUGE;
    if (record == PROFILE_RECORDS ||
        (is_huge ? hak_block_table_reserve(&profile_huge) : hak_live_reserve(start)) != 0) {
        return false;
    }
    if (is_huge) {
        hak_block_table_insert(&profile_huge, (struct block_entry){.start = (uintptr_t)start, .size = record});
    } else {
        hak_live_note(start, class_index, (uint16_t)record);
    }
    profile_live_blocks++;
    hak_count_add(&profile_samples->records[record].allocations, 1);
    observer_note_sample(profile_samples, record);
    return true;
}

static void *profile_take_locked(unsigned class_index, bool *zeroed) {
    if (list_is_empty(&profile_slabs[class_index])) {
        struct slab *slab = hak_slab_create(class_index, PROFILE_OWNER);
        if (slab == NULL) {
            return NULL;
        }
        hak_region_span_hide((void *)slab_base(slab), hak_classes[class_index].chunks);
        hak_list_link(&profile_slabs[class_index], slab);
    }
    void *p;
    struct slab *slab = hak_list_first(&profile_slabs[class_index]);
    hak_slab_take(slab, class_index, &p, 1, zeroed);
    if (slab->free_count == 0) {
        hak_list_unlink(&profile_slabs[class_index], slab);
    }
    return p;
}

/* One empty slab a class is kept. */
static void profile_give_back_locked(unsigned class_index, void *p) {
    struct slab *slab = slab_of(p);
    if (slab->free_count == 0) {
        hak_list_link(&profile_slabs[class_index], slab);
    }
    hak_slab_free_blocks(PROFILE_OWNER, class_index, &p, 1);
    const uint32_t blocks = hak_classes[class_index].blocks;
    const bool is_last = profile_slabs[class_index].first == profile_slabs[class_index].last;
    if (slab->free_count == blocks && !is_last) {
        hak_list_unlink(&profile_slabs[class_index], slab);
        const bool released = hak_slab_release_if_empty(slab, class_index);
        HAK_ASSERT(released);
        (void)released;
    }
}

void *hak_profile_alloc(unsigned class_index, const struct hak_stack *stack, bool *zeroed) {
    void *p = NULL;
    lock_acquire(&profile_lock);
    if (sampling_is_on()) {
        p = profile_take_locked(class_index, zeroed);
        if (p != NULL && !profile_enter_locked(p, class_index, hak_classes[class_index].block_size, stack)) {
            profile_give_back_locked(class_index, p);
            p = NULL;
        }
        if (p == NULL) {
            profile_drop_locked();
        }
    }
    lock_release(&profile_lock);
    return p;
}

bool hak_profile_note(void *p, unsigned class_index, const struct hak_stack *stack) {
    lock_acquire(&profile_lock);
    const bool entered =
        sampling_is_on() && profile_enter_locked(p, class_index, hak_classes[class_index].block_size, stack);
    if (entered) {
        hak_region_span_hide(p, 1);
    } else if (sampling_is_on()) {
        profile_drop_locked();
    }
    lock_release(&profile_lock);
    return entered;
}

static bool profile_try_huge(size_t size) {
    lock_acquire(&profile_lock);
    const bool is_sampled = sampling_is_on() && hak_chance_try(&profile_random, size, profile_rate());
    lock_release(&profile_lock);
    return is_sampled;
}

void hak_profile_note_huge(const void *start, size_t size, const void *site) {
    if (!profile_try_huge(size)) {
        return;
    }
    struct hak_stack stack;
    hak_stack_capture(&stack, site); /* without the lock: it takes microseconds */
    lock_acquire(&profile_lock);
    if (sampling_is_on() && !profile_enter_locked(start, 0, size, &stack)) {
        profile_drop_locked();
    }
    lock_release(&profile_lock);
}

int hak_profile_forget(void *p, const void *caller) {
    int found = PROFILE_NOT_SAMPLED;
    lock_acquire(&profile_lock);
    struct profile_live live;
    if (profile_find(p, &live)) {
        found = (int)live.class_index;
        struct profile_record *record = &profile_samples->records[live.record];
        /* Release: pairs with hak_record_read. */
        hak_store_release(&record->frees, hak_load_relaxed(&record->frees) + 1);
        observer_note_sample(profile_samples, live.record);
        /* Where some blocks are not sampled, the next one here may be, and its end would be taken for this one's. */
        if (HAK_GUARD_EXACT && profile_rate() == 1) {
            /* realloc's caller, where realloc frees. */
            hak_freed_note(p, record, hak_profile_site != NULL ? (const char *)hak_profile_site + 1 : caller);
        }
        profile_live_blocks--;
        if (found == PROFILE_HUGE) {
            hak_block_table_remove(&profile_huge, live.huge); /* the page map reads 0 there always */
        } else {
            hak_live_note(p, live.class_index, LIVE_NONE);
            if (profile_is_in_place(live.class_index)) {
                hak_region_span_show(p, 1);
            } else {
                profile_give_back_locked(live.class_index, p);
            }
        }
    }
    lock_release(&profile_lock);
    return found;
}

unsigned hak_profile_class(const void *p) {
    unsigned class_index;
    lock_acquire(&profile_lock);
    const bool is_sampled = hak_live_find(p, &class_index) != LIVE_NONE;
    lock_release(&profile_lock);
    return is_sampled ? class_index : 0;
}

unsigned hak_profile_find(const void *p) {
    lock_acquire(&profile_lock);
    const unsigned class_index = hak_live_class(p);
    lock_release(&profile_lock);
    return class_index;
}

const void *hak_profile_site_of(const void *p) {
    struct profile_live live;
    return profile_find(p, &live) ? (const void *)(uintptr_t)profile_samples->records[live.record].site : NULL;
}

const void *hak_profile_site_at(const void *p) {
    lock_acquire(&profile_lock);
    const void *site = hak_profile_site_of(p);
    lock_release(&profile_lock);
    return site;
}

uint32_t hak_profile_record_at(const void *p) {
    struct profile_live live;
    lock_acquire(&profile_lock);
    const bool is_sampled = profile_find(p, &live);
    lock_release(&profile_lock);
    return is_sampled ? live.record : PROFILE_RECORDS;
}

void hak_profile_visit_notes(void (*visit)(void *start, size_t size, void *argument), void *argument) {
    lock_acquire(&profile_lock);
    visit(profile_huge.entries, profile_huge.capacity * sizeof *profile_huge.entries, argument);
    lock_release(&profile_lock);
    hak_freed_visit(visit, argument);
    hak_stack_memo_visit(visit, argument);
}

/* Acquire: pairs with the release where it is made. */
const struct hak_profile_table *hak_profile_table(void) { return hak_load_acquire(&profile_samples); }

uint64_t hak_profile_live_count(void) {
    lock_acquire(&profile_lock);
    const uint64_t count = profile_live_blocks;
    lock_release(&profile_lock);
    return count;
}

void hak_profile_seed(uint64_t seed) {
    lock_acquire(&profile_lock);
    profile_random = random_mix(seed) | 1;
    hak_store_relaxed(&profile_seeded, profile_random);
    profile_next_epoch_locked();
    lock_release(&profile_lock);
}

void hak_profile_fork_locks(lock_visit *visit, struct lock_fork *fork) { visit(&profile_lock, fork); }

bool hak_profile_is_whole(void) { return hak_lock_is_free(&profile_lock); }
