/* SPDX-License-Identifier: MIT */
/* See profile.h. A sampled block is in the live table from hak_profile_alloc to hak_profile_forget. */
#include "hakmem/sample/profile.h"

#include "hakmem/base/assert.h"
#include "hakmem/base/lock.h"
#include "hakmem/base/observer.h"
#include "hakmem/base/probe.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/os/os.h"
#include "hakmem/region/block_table.h"
#include "hakmem/sample/chance.h"
#include "hakmem/sample/freed.h"
#include "hakmem/sample/live.h"
#include "hakmem/sample/own_slabs.h"
#include "hakmem/sample/profile_state.h"
#include "hakmem/sample/stack_capture.h"
#include "hakmem/sample/stack_memo.h"
#include "hakmem/sample/tally.h"
#include "hakmem/sample/thinning.h"

HAK_THREAD_LOCAL const void *hak_profile_site;

struct profile_class hak_profile_classes[HAK_CLASS_COUNT] = {
    [0 ... HAK_CLASS_COUNT - 1] = {.lock = HAK_LOCK_INITIALIZER(HAK_RANK_PROFILE), .random = 1},
};
struct hak_profile_table *hak_profile_samples;
static struct block_table profile_huge; /* lock of class 0; the live ones; of an entry the size is its record */
static uint64_t profile_asides;         /* lock of class 0; how many of those were ever set aside */

/* With an odd number below it, in the place of a block's start: no address that a program can have. */
#define PROFILE_ASIDE ((uintptr_t)1 << 63)

HAK_STATIC_ASSERT(HAK_CLASS_COUNT + HAK_RANK_ZERO_SIZE <= LOCK_FORK_OWN_MAX, "fork may interrupt who holds all locks");
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

/* The class that p is sampled as, if it is, with its lock taken: a live block stays what it is. */
static struct profile_class *profile_lock_of(const void *p) {
    struct profile_class *of = &hak_profile_classes[hak_region_hidden_class(p)];
    lock_acquire(&of->lock);
    return of;
}

/* What profile_find finds of that class. */
static bool profile_find_locked(const struct profile_class *of, const void *p, struct profile_live *out) {
    return profile_find(p, out) && out->class_index == (unsigned)(of - hak_profile_classes);
}

/* `is_behind`: an observer has to look at everything. */
static void profile_release(struct profile_class *of, bool is_behind) {
    lock_release(&of->lock);
    if (HAK_UNLIKELY(is_behind)) {
        hak_profile_show_whole();
    }
}

void hak_profile_misuse_sites(const void *block, struct hak_misuse_sites *sites) {
    struct profile_live live;
    const struct profile_record *record =
        profile_find(block, &live) ? &hak_profile_samples->records[live.record] : NULL;
    const bool knows_freed = sampling_is_on() && profile_rate() == 1; /* else it may have been another block since */
    if (record != NULL || (knows_freed && hak_freed_find(block, &record, &sites->freed))) {
        sites->allocated = (const void *)(uintptr_t)(record->site + 1);
        sites->callers = record_callers(hak_profile_samples, record);
        sites->caller_count = record_caller_count(record);
    }
}

struct hak_thread_chance *hak_profile_chance(struct hak_thread *thread) {
    /* Relaxed: what is drawn by an older one counts no more. */
    const uint32_t epoch = hak_load_relaxed(&hak_sampling_epoch);
    if (HAK_UNLIKELY(thread->chance.epoch != epoch)) {
        thread->chance = (struct hak_thread_chance){.random = hak_profile_random_of(thread->number), .epoch = epoch};
    }
    return &thread->chance;
}

uint64_t hak_profile_draw(struct hak_thread_chance *chance, unsigned class_index) {
    const uint64_t rate = profile_rate() << chance->thinning;
    return hak_chance_until_next(&chance->random, hak_classes[class_index].block_size, rate);
}

void hak_profile_spend(struct hak_thread_chance *chance, bool is_unwound) {
    if (profile_rate() == PROFILE_RATE_DEFAULT) {
        hak_thinning_note(chance, is_unwound ? THINNING_UNWOUND : THINNING_FOUND, hak_os_clock_ms());
    }
}

/* One trial with the class's own generator. */
static bool profile_try_locked(struct profile_class *of, uint64_t size, unsigned thinning) {
    return hak_chance_try(&of->random, size, profile_rate() << thinning);
}

/* The same from outside; `epoch` is that of the rate. */
static bool profile_try(struct profile_class *of, uint64_t size, unsigned thinning, uint32_t *epoch) {
    lock_acquire(&of->lock);
    const bool is_sampled = sampling_is_on() && profile_try_locked(of, size, thinning);
    *epoch = hak_load_relaxed(&hak_sampling_epoch); /* it changes under all locks */
    lock_release(&of->lock);
    return is_sampled;
}

bool hak_profile_try(unsigned class_index, uint32_t *epoch) {
    return profile_try(&hak_profile_classes[class_index], hak_classes[class_index].block_size, 0, epoch);
}

/* Whether a sample still counts: the profile may have been switched since it was drawn. Relaxed: the epoch changes under all
 * locks. */
static bool profile_wants_locked(const struct hak_due *due) {
    return sampling_is_on() && due->epoch == hak_load_relaxed(&hak_sampling_epoch);
}

/* Enters a block. false: no room or no memory. pre: profile_wants_locked(due) */
static bool profile_enter_locked(struct profile_class *of, const void *start, uint64_t size, const struct hak_due *due,
                                 bool *is_behind) {
    const unsigned class_index = (unsigned)(of - hak_profile_classes);
    const uint64_t rate = profile_rate() << due->thinning;
    const struct record_key key = {.stack = &due->stack, .size = size, .rate = rate, .thread = due->thread};
    const uint32_t record = hak_tally_record(hak_profile_samples, &key);
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
    *is_behind = hak_tally_allocation(hak_profile_samples, record, due->asked);
    PROBE_3(sample, start, size, due->stack.site);
    return true;
}

void *hak_profile_alloc(unsigned class_index, const struct hak_due *due, bool *zeroed) {
    struct profile_class *of = &hak_profile_classes[class_index];
    void *p = NULL;
    bool is_behind = false;
    lock_acquire(&of->lock);
    if (profile_wants_locked(due)) {
        p = hak_own_slabs_take(&of->slabs, class_index, zeroed);
        if (p != NULL && !profile_enter_locked(of, p, hak_classes[class_index].block_size, due, &is_behind)) {
            hak_own_slabs_give_back(&of->slabs, class_index, p);
            p = NULL;
        }
        if (p == NULL) {
            is_behind = hak_tally_lost(hak_profile_samples);
        }
    }
    profile_release(of, is_behind);
    return p;
}

bool hak_profile_note(void *p, unsigned class_index, const struct hak_due *due) {
    struct profile_class *of = &hak_profile_classes[class_index];
    bool is_behind = false;
    lock_acquire(&of->lock);
    const bool is_wanted = profile_wants_locked(due);
    const bool entered = is_wanted && profile_enter_locked(of, p, hak_classes[class_index].block_size, due, &is_behind);
    if (entered) {
        hak_region_span_hide(p, 1);
    } else if (is_wanted) {
        is_behind = hak_tally_lost(hak_profile_samples);
    }
    profile_release(of, is_behind);
    return entered;
}

void hak_profile_note_huge(const void *start, size_t size, size_t asked, const void *site) {
    struct profile_class *of = &hak_profile_classes[PROFILE_HUGE];
    struct hak_thread_chance *chance = hak_self != NULL ? hak_profile_chance(hak_self) : NULL;
    struct hak_due due;
    bool is_behind = false;
    due.thinning = chance == NULL ? 0 : chance->thinning < THINNING_HUGE_MOST ? chance->thinning : THINNING_HUGE_MOST;
    if (!profile_try(of, size, due.thinning, &due.epoch) || (chance != NULL && chance->epoch != due.epoch)) {
        return; /* it is not sampled, or the profile was switched since, and the thinning is not that of the new rate */
    }
    due.thread = hak_self != NULL ? hak_self->number : 0;
    due.asked = asked;
    const bool is_unwound = hak_stack_capture(&due.stack, site); /* without the lock: it takes microseconds */
    if (chance != NULL) {
        hak_profile_spend(chance, is_unwound);
    }
    lock_acquire(&of->lock);
    if (profile_wants_locked(&due) && !profile_enter_locked(of, start, size, &due, &is_behind)) {
        is_behind = hak_tally_lost(hak_profile_samples);
    }
    profile_release(of, is_behind);
}

/* Tells of the end of a block by its address, which must not be another's yet. */
static void profile_tell_end(const void *p, const struct profile_record *record, const void *caller) {
    PROBE_3(sample_free, p, record->size, record->site);
    /* Where some blocks are not sampled, the next one here may be, and its end would be taken for this one's. */
    if (HAK_GUARD_EXACT && profile_rate() == 1) {
        /* realloc's caller, where realloc frees. */
        hak_freed_note(p, record, hak_profile_site != NULL ? (const char *)hak_profile_site + 1 : caller);
    }
}

/* Result: as the observer's */
static bool profile_count_free_locked(struct profile_class *of, uint32_t record) {
    hak_count_add(&of->live, (uint64_t)-1);
    return hak_tally_free(hak_profile_samples, record);
}

/* Result: as the observer's */
static bool profile_leave_locked(struct profile_class *of, void *p, const struct profile_live *live,
                                 const void *caller) {
    profile_tell_end(p, &hak_profile_samples->records[live->record], caller);
    const bool is_behind = profile_count_free_locked(of, live->record);
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

/* An entry has another key from now on. There is room: its own. */
static void profile_rename_locked(struct block_entry *entry, uintptr_t start) {
    const struct block_entry renamed = {.start = start, .size = entry->size};
    hak_block_table_remove(&profile_huge, entry);
    hak_block_table_insert(&profile_huge, renamed);
}

uintptr_t hak_profile_set_aside(const void *p) {
    struct profile_class *of = &hak_profile_classes[PROFILE_HUGE];
    uintptr_t aside = 0;
    lock_acquire(&of->lock);
    struct block_entry *entry = hak_block_table_find(&profile_huge, p);
    if (entry != NULL) {
        aside = PROFILE_ASIDE | (2 * profile_asides++ + 1);
        profile_tell_end(p, &hak_profile_samples->records[entry->size], NULL);
        profile_rename_locked(entry, aside);
    }
    lock_release(&of->lock);
    return aside;
}

void hak_profile_put_back(uintptr_t aside, const void *p) {
    struct profile_class *of = &hak_profile_classes[PROFILE_HUGE];
    lock_acquire(&of->lock);
    struct block_entry *entry = hak_block_table_find(&profile_huge, (const void *)aside);
    const struct profile_record *record = &hak_profile_samples->records[entry->size];
    PROBE_3(sample, p, record->size, record->site);
    profile_rename_locked(entry, (uintptr_t)p);
    lock_release(&of->lock);
}

void hak_profile_forget_aside(uintptr_t aside) {
    struct profile_class *of = &hak_profile_classes[PROFILE_HUGE];
    lock_acquire(&of->lock);
    struct block_entry *entry = hak_block_table_find(&profile_huge, (const void *)aside);
    const bool is_behind = profile_count_free_locked(of, (uint32_t)entry->size);
    hak_block_table_remove(&profile_huge, entry);
    profile_release(of, is_behind);
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
    return (const void *)(uintptr_t)hak_profile_samples->records[live->record].site;
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
    lock_acquire(&hak_profile_classes[PROFILE_HUGE].lock);
    visit(profile_huge.entries, profile_huge.capacity * sizeof *profile_huge.entries, argument);
    lock_release(&hak_profile_classes[PROFILE_HUGE].lock);
    hak_freed_visit(visit, argument);
    hak_stack_memo_visit(visit, argument);
}

bool hak_profile_describe(const void *p, struct hak_profile_sample *out) {
    struct profile_live live;
    struct profile_class *of = profile_lock_of(p);
    const bool is_sampled = profile_find_locked(of, p, &live);
    if (is_sampled) {
        const struct profile_record *record = &hak_profile_samples->records[live.record];
        *out = (struct hak_profile_sample){
            .block = p,
            .block_size = record->size,
            .site = (const void *)(uintptr_t)record->site,
            .callers = record_callers(hak_profile_samples, record),
            .caller_count = record_caller_count(record),
            .is_cut = record_is_cut(record),
            .is_open = record_is_open(record),
            .scale = 1 / hak_chance_of(record->size, record->rate),
        };
    }
    lock_release(&of->lock);
    return is_sampled;
}

/* Acquire: pairs with the release where it is made. */
const struct hak_profile_table *hak_profile_table(void) { return hak_load_acquire(&hak_profile_samples); }

uint64_t hak_profile_live_count(void) {
    uint64_t count = 0;
    for (unsigned class_index = 0; class_index < HAK_CLASS_COUNT; class_index++) {
        /* Relaxed: a snapshot. */
        count += hak_load_relaxed(&hak_profile_classes[class_index].live);
    }
    return count;
}

void hak_profile_fork_locks(lock_visit *visit, struct lock_fork *fork) {
    visit(&hak_profile_classes[0].lock, fork);
    /* Whoever starts the first profile takes that lock first, and before it is started nobody takes another. */
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT && sampling_was_on(); class_index++) {
        visit(&hak_profile_classes[class_index].lock, fork);
    }
    visit(&hak_tally_lock, fork);
}

bool hak_profile_is_whole(void) {
    bool is_whole = hak_lock_is_free(&hak_tally_lock);
    for (unsigned class_index = 0; class_index < HAK_CLASS_COUNT; class_index++) {
        is_whole &= hak_lock_is_free(&hak_profile_classes[class_index].lock);
    }
    return is_whole;
}
