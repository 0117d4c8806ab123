/* SPDX-License-Identifier: MIT */
/* See profile.h. A sampled block is in the live table from hak_profile_alloc to hak_profile_forget. */
#include "hakmem/sample/profile.h"

#include <errno.h>

#include "hakmem/base/assert.h"
#include "hakmem/base/bits.h"
#include "hakmem/base/lock.h"
#include "hakmem/base/observer.h"
#include "hakmem/base/options.h"
#include "hakmem/base/probe.h"
#include "hakmem/base/random.h"
#include "hakmem/base/warning.h"
#include "hakmem/hakmem.h"
#include "hakmem/misuse/misuse.h"
#include "hakmem/os/os.h"
#include "hakmem/region/block_table.h"
#include "hakmem/sample/chance.h"
#include "hakmem/sample/freed.h"
#include "hakmem/sample/live.h"
#include "hakmem/sample/own_slabs.h"
#include "hakmem/sample/stack_capture.h"
#include "hakmem/sample/stack_memo.h"
#include "hakmem/sample/tally.h"

HAK_THREAD_LOCAL const void *hak_profile_site;

/* Sampled blocks of a class; of class 0, huge ones. */
struct profile_class {
    struct hak_lock lock;
    struct slab_list slabs; /* the lock; see own_slabs.h */
    uint64_t random;        /* the lock; never 0 */
    uint64_t live;          /* atomic: written under the lock; sampled blocks that live */
} HAK_CACHE_ALIGNED;

static struct profile_class profile_classes[HAK_CLASS_COUNT] = {
    [0 ... HAK_CLASS_COUNT - 1] = {.lock = HAK_LOCK_INITIALIZER(HAK_RANK_PROFILE), .random = 1},
};
static struct hak_profile_table *profile_samples; /* atomic; set once, under all locks */
static uint64_t profile_seeded;                   /* atomic; written before the epoch that it is for */
static struct block_table profile_huge; /* lock of class 0; the live ones; of an entry the size is its record */

HAK_STATIC_ASSERT(HAK_CLASS_COUNT + HAK_RANK_REGION <= LOCK_FORK_OWN_MAX, "fork may interrupt who holds all locks");
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

/* All locks: nothing is sampled meanwhile, and no sampled block is freed. */
static void profile_lock_all(void) {
    for (unsigned class_index = 0; class_index < HAK_CLASS_COUNT; class_index++) {
        lock_acquire(&profile_classes[class_index].lock);
    }
    lock_acquire(&hak_tally_lock);
}

static void profile_unlock_all(void) {
    lock_release(&hak_tally_lock);
    for (unsigned class_index = HAK_CLASS_COUNT; class_index-- > 0;) {
        lock_release(&profile_classes[class_index].lock);
    }
}

/* The class that p is sampled as, if it is, with its lock taken: a live block stays what it is. */
static struct profile_class *profile_lock_of(const void *p) {
    struct profile_class *of = &profile_classes[hak_region_hidden_class(p)];
    lock_acquire(&of->lock);
    return of;
}

/* What profile_find finds of that class. */
static bool profile_find_locked(const struct profile_class *of, const void *p, struct profile_live *out) {
    return profile_find(p, out) && out->class_index == (unsigned)(of - profile_classes);
}

/* `is_behind`: an observer has to look at everything. */
static void profile_release(struct profile_class *of, bool is_behind) {
    lock_release(&of->lock);
    if (HAK_UNLIKELY(is_behind)) {
        profile_lock_all();
        observer_note_whole(profile_samples);
        profile_unlock_all();
    }
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
        if (hak_profile_live_count() != 0) {
            return EBUSY;
        }
        for (uint32_t i = 0; i < hak_record_count(profile_samples); i++) {
            hak_store_relaxed(&profile_samples->records[i].allocations, (uint64_t)0);
            hak_store_relaxed(&profile_samples->records[i].frees, (uint64_t)0);
        }
    }
    hak_store_relaxed(&profile_samples->rate, rate);
    observer_note_whole(profile_samples);
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
    profile_lock_all();
    int error = profile_make_table_locked();
    if (error == 0) {
        error = profile_set_rate_locked(rate);
    }
    if (error == 0) {
        profile_next_epoch_locked();
        /* Release: pairs with sampling_is_on. */
        hak_store_release(&hak_sampling_state, (uint32_t)SAMPLING_ON);
    }
    profile_unlock_all();
    return error;
}

void hak_profile_turn_off(void) {
    profile_lock_all();
    if (hak_load_relaxed(&hak_sampling_state) == SAMPLING_ON) {
        hak_store_relaxed(&hak_sampling_state, (uint32_t)SAMPLING_STOPPED);
    }
    profile_unlock_all();
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

/* One trial with the class's own generator. */
static bool profile_try_locked(struct profile_class *of, uint64_t size) {
    return hak_chance_try(&of->random, size, profile_rate());
}

bool hak_profile_try(unsigned class_index) {
    struct profile_class *of = &profile_classes[class_index];
    lock_acquire(&of->lock);
    const bool is_sampled = profile_try_locked(of, hak_classes[class_index].block_size);
    lock_release(&of->lock);
    return is_sampled;
}

/* Enters a block. false: no room or no memory */
static bool profile_enter_locked(struct profile_class *of, const void *start, uint64_t size,
                                 const struct hak_stack *stack, bool *is_behind) {
    const unsigned class_index = (unsigned)(of - profile_classes);
    const uint32_t record = hak_tally_record(profile_samples, stack, size);
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
    hak_count_add(&of->live, 1);
    *is_behind = hak_tally_allocation(profile_samples, record);
    PROBE_3(sample, start, size, stack->site);
    return true;
}

void *hak_profile_alloc(unsigned class_index, const struct hak_stack *stack, bool *zeroed) {
    struct profile_class *of = &profile_classes[class_index];
    void *p = NULL;
    bool is_behind = false;
    lock_acquire(&of->lock);
    if (sampling_is_on()) {
        p = hak_own_slabs_take(&of->slabs, class_index, zeroed);
        if (p != NULL && !profile_enter_locked(of, p, hak_classes[class_index].block_size, stack, &is_behind)) {
            hak_own_slabs_give_back(&of->slabs, class_index, p);
            p = NULL;
        }
        if (p == NULL) {
            is_behind = hak_tally_lost(profile_samples);
        }
    }
    profile_release(of, is_behind);
    return p;
}

bool hak_profile_note(void *p, unsigned class_index, const struct hak_stack *stack) {
    struct profile_class *of = &profile_classes[class_index];
    bool is_behind = false;
    lock_acquire(&of->lock);
    const bool entered =
        sampling_is_on() && profile_enter_locked(of, p, hak_classes[class_index].block_size, stack, &is_behind);
    if (entered) {
        hak_region_span_hide(p, 1);
    } else if (sampling_is_on()) {
        is_behind = hak_tally_lost(profile_samples);
    }
    profile_release(of, is_behind);
    return entered;
}

static bool profile_try_huge(size_t size) {
    struct profile_class *of = &profile_classes[PROFILE_HUGE];
    lock_acquire(&of->lock);
    const bool is_sampled = sampling_is_on() && profile_try_locked(of, size);
    lock_release(&of->lock);
    return is_sampled;
}

void hak_profile_note_huge(const void *start, size_t size, const void *site) {
    if (!profile_try_huge(size)) {
        return;
    }
    struct profile_class *of = &profile_classes[PROFILE_HUGE];
    struct hak_stack stack;
    bool is_behind = false;
    hak_stack_capture(&stack, site); /* without the lock: it takes microseconds */
    lock_acquire(&of->lock);
    if (sampling_is_on() && !profile_enter_locked(of, start, size, &stack, &is_behind)) {
        is_behind = hak_tally_lost(profile_samples);
    }
    profile_release(of, is_behind);
}

/* Result: as the observer's */
static bool profile_leave_locked(struct profile_class *of, void *p, const struct profile_live *live,
                                 const void *caller) {
    const bool is_behind = hak_tally_free(profile_samples, live->record);
    PROBE_3(sample_free, p, profile_samples->records[live->record].size, profile_samples->records[live->record].site);
    /* Where some blocks are not sampled, the next one here may be, and its end would be taken for this one's. */
    if (HAK_GUARD_EXACT && profile_rate() == 1) {
        /* realloc's caller, where realloc frees. */
        hak_freed_note(p, &profile_samples->records[live->record],
                       hak_profile_site != NULL ? (const char *)hak_profile_site + 1 : caller);
    }
    hak_count_add(&of->live, (uint64_t)-1);
    if (live->class_index == PROFILE_HUGE) {
        hak_block_table_remove(&profile_huge, live->huge); /* the page map reads 0 there always */
        return is_behind;
    }
    hak_live_note(p, live->class_index, LIVE_NONE);
    if (profile_is_in_place(live->class_index)) {
        hak_region_span_show(p, 1);
    } else {
        hak_own_slabs_give_back(&of->slabs, live->class_index, p);
    }
    return is_behind;
}

int hak_profile_forget(void *p, const void *caller) {
    struct profile_live live;
    struct profile_class *of = profile_lock_of(p);
    const bool is_sampled = profile_find_locked(of, p, &live);
    const bool is_behind = is_sampled && profile_leave_locked(of, p, &live, caller);
    profile_release(of, is_behind);
    return is_sampled ? (int)live.class_index : PROFILE_NOT_SAMPLED;
}

unsigned hak_profile_class(const void *p) {
    unsigned class_index;
    struct profile_class *of = profile_lock_of(p);
    const bool is_sampled = hak_live_find(p, &class_index) != LIVE_NONE;
    lock_release(&of->lock);
    return is_sampled ? class_index : 0;
}

unsigned hak_profile_find(const void *p) {
    struct profile_class *of = profile_lock_of(p);
    const unsigned class_index = hak_live_class(p);
    lock_release(&of->lock);
    return class_index;
}

static const void *profile_site(const struct profile_live *live) {
    return (const void *)(uintptr_t)profile_samples->records[live->record].site;
}

const void *hak_profile_site_of(const void *p) {
    struct profile_live live;
    return profile_find(p, &live) ? profile_site(&live) : NULL;
}

const void *hak_profile_site_at(const void *p) {
    struct profile_live live;
    struct profile_class *of = profile_lock_of(p);
    const void *site = profile_find_locked(of, p, &live) ? profile_site(&live) : NULL;
    lock_release(&of->lock);
    return site;
}

uint32_t hak_profile_record_at(const void *p) {
    struct profile_live live;
    struct profile_class *of = profile_lock_of(p);
    const bool is_sampled = profile_find_locked(of, p, &live);
    lock_release(&of->lock);
    return is_sampled ? live.record : PROFILE_RECORDS;
}

void hak_profile_visit_notes(void (*visit)(void *start, size_t size, void *argument), void *argument) {
    lock_acquire(&profile_classes[PROFILE_HUGE].lock);
    visit(profile_huge.entries, profile_huge.capacity * sizeof *profile_huge.entries, argument);
    lock_release(&profile_classes[PROFILE_HUGE].lock);
    hak_freed_visit(visit, argument);
    hak_stack_memo_visit(visit, argument);
}

bool hak_profile_describe(const void *p, struct hak_profile_sample *out) {
    struct profile_live live;
    struct profile_class *of = profile_lock_of(p);
    const bool is_sampled = profile_find_locked(of, p, &live);
    if (is_sampled) {
        const struct profile_record *record = &profile_samples->records[live.record];
        *out = (struct hak_profile_sample){
            .block = p,
            .block_size = record->size,
            .site = (const void *)(uintptr_t)record->site,
            .callers = record_callers(profile_samples, record),
            .caller_count = record_caller_count(record),
            .is_cut = record_is_cut(record),
            .scale = 1 / hak_chance_of(record->size, profile_rate()),
        };
    }
    lock_release(&of->lock);
    return is_sampled;
}

/* Acquire: pairs with the release where it is made. */
const struct hak_profile_table *hak_profile_table(void) { return hak_load_acquire(&profile_samples); }

uint64_t hak_profile_live_count(void) {
    uint64_t count = 0;
    for (unsigned class_index = 0; class_index < HAK_CLASS_COUNT; class_index++) {
        /* Relaxed: a snapshot. */
        count += hak_load_relaxed(&profile_classes[class_index].live);
    }
    return count;
}

void hak_profile_seed(uint64_t seed) {
    profile_lock_all();
    for (unsigned class_index = 0; class_index < HAK_CLASS_COUNT; class_index++) {
        profile_classes[class_index].random = random_mix(seed + ((uint64_t)class_index << 48)) | 1;
    }
    hak_store_relaxed(&profile_seeded, random_mix(seed) | 1);
    profile_next_epoch_locked();
    profile_unlock_all();
}

void hak_profile_fork_locks(lock_visit *visit, struct lock_fork *fork) {
    visit(&profile_classes[0].lock, fork);
    /* Whoever starts the first profile takes that lock first, and before it is started nobody takes another. */
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT && sampling_was_on(); class_index++) {
        visit(&profile_classes[class_index].lock, fork);
    }
    visit(&hak_tally_lock, fork);
}

bool hak_profile_is_whole(void) {
    bool is_whole = hak_lock_is_free(&hak_tally_lock);
    for (unsigned class_index = 0; class_index < HAK_CLASS_COUNT; class_index++) {
        is_whole &= hak_lock_is_free(&profile_classes[class_index].lock);
    }
    return is_whole;
}
