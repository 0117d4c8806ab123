/* SPDX-License-Identifier: MIT */
/* See profile_page.h. */
#include "hakmem/observe/profile_page.h"

#include <errno.h>
#include <string.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/bits.h"
#include "hakmem/base/options.h"
#include "hakmem/base/warning.h"
#include "hakmem/os/os.h"

enum { SHARE_OFF, SHARE_WANTED, SHARE_ON, SHARE_PARENTS, SHARE_FAILED };

/* Samples between two looks whether the program has closed the descriptor: a look costs some 200 ns. They are counted for so many
 * groups of records, that threads seldom meet there. */
#define SHARE_LOOK_EVERY 1024
#define SHARE_COUNTS 16

/* Samples of a group. Atomic; what two threads add at once may count once, so that a look comes a little later. */
struct share_count {
    uint32_t samples;
} HAK_CACHE_ALIGNED;

/* Atomic; written under all locks of the profile, as the next three. hak_profile_page_try_again alone takes none: from failed to
 * wanted. */
static uint32_t share_state;
static uint32_t share_problem;                /* atomic; for which the last try failed, an errno value */
static struct os_shared share_file;           /* read under any of them; valid while the state is on */
static struct hak_profile_table *share_table; /* likewise; what the file holds */
static uint64_t share_frames;                 /* records lock; of the frames, as many are copied */
static struct share_count share_counts[SHARE_COUNTS];

/* 1: this process made the file. In a page that the kernel clears in each child, also in one of a bare system call, which no handler
 * of fork sees: it has a copy of all that is above, and the mapping of its parent's file. Where there is no such page, handlers
 * alone tell a child. */
static uint32_t share_mark_kept;                      /* atomic; in place of the page */
static uint32_t *share_mark_place = &share_mark_kept; /* atomic; written under all locks, as what it leads to */

static size_t share_bytes(void) { return bits_round_up(PROFILE_SHARED_BYTES, hak_os_page_size()); }

void hak_profile_page_begin(void) { hak_store_relaxed(&share_state, (uint32_t)SHARE_WANTED); }

static void share_mark(void) {
    void *page;
    if (hak_load_relaxed(&share_mark_place) == &share_mark_kept && hak_os_map_wiped(hak_os_page_size(), &page) == 0) {
        /* Release: pairs with the acquire of share_is_copied. */
        hak_store_release(&share_mark_place, (uint32_t *)page);
    }
    /* Relaxed, both here and where it is read: who may write to the file holds a lock that was held here too, and a child
     * begins with one thread, for which the kernel has cleared it. */
    hak_store_relaxed(hak_load_relaxed(&share_mark_place), 1u);
}

/* Whether this is the child of whoever made the file, which no handler has told so. Any thread. */
static bool share_is_copied(void) {
    /* Acquire: pairs with the release in share_mark; the page is there. */
    return hak_load_relaxed(hak_load_acquire(&share_mark_place)) == 0;
}

/* Several threads may repeat a count at once, each the value that it saw. Counts only grow, so the largest is the newest. */
static void share_raise(uint64_t *to, uint64_t value) {
    /* Relaxed: what is raised here has one order, and share_copy_counts keeps that of the two. */
    uint64_t now = hak_load_relaxed(to);
    /* Release: a tool that reads a record's frees finds the allocations that were raised before. */
    while (now < value && !hak_compare_exchange_acq_rel(to, &now, value)) {
    }
}

/* A tool reads in the order of hak_record_read. */
static void share_copy_counts(const struct hak_profile_table *table, uint32_t index) {
    const struct profile_record now = hak_record_read(table, index);
    share_raise(&share_table->records[index].asked, now.asked);
    share_raise(&share_table->records[index].allocations, now.allocations);
    share_raise(&share_table->records[index].frees, now.frees);
}

static void share_copy_lost(const struct hak_profile_table *table) {
    share_raise(&share_table->dropped, hak_load_relaxed(&table->dropped));
    share_raise(&share_table->shortened, hak_load_relaxed(&table->shortened));
}

/* What is constant of a record, behind the frames that it names. */
static void share_copy_record(const struct hak_profile_table *table, uint32_t index) {
    const uint64_t frames = hak_load_relaxed(&table->frames_used);
    memcpy(&share_table->frames[share_frames], &table->frames[share_frames],
           (frames - share_frames) * sizeof *table->frames);
    share_frames = frames;
    hak_store_relaxed(&share_table->frames_used, frames);
    share_table->records[index].site = table->records[index].site;
    share_table->records[index].size = table->records[index].size;
    share_table->records[index].callers = table->records[index].callers;
    share_table->records[index].rate = table->records[index].rate;
    share_table->records[index].thread = table->records[index].thread;
    /* Release: the entries that it counts are there. */
    share_raise(&share_table->used, (uint64_t)index + 1);
}

/* What a switch changes. */
static void share_copy_state(const struct hak_profile_table *table) {
    /* Relaxed, all: a tool takes them for a snapshot. */
    hak_store_relaxed(&share_table->rate, hak_load_relaxed(&table->rate));
    hak_store_relaxed(&share_table->is_on, hak_load_relaxed(&table->is_on));
    hak_store_relaxed(&share_table->is_whole, hak_load_relaxed(&table->is_whole));
    hak_store_relaxed(&share_table->switches, hak_load_relaxed(&table->switches));
    hak_store_relaxed(&share_table->switched_ms, hak_load_relaxed(&table->switched_ms));
}

/* Counts are stored, not raised: all locks are held. */
static void share_copy_all(const struct hak_profile_table *table) {
    for (uint32_t index = 0; index < hak_record_count(table); index++) {
        const struct profile_record now = hak_record_read(table, index);
        share_copy_record(table, index);
        hak_store_relaxed(&share_table->records[index].asked, now.asked);
        hak_store_relaxed(&share_table->records[index].allocations, now.allocations);
        hak_store_release(&share_table->records[index].frees, now.frees);
    }
    share_copy_lost(table);
    share_copy_state(table);
}

static void share_make(const struct hak_profile_table *table) {
    /* First: a fork in a handler that interrupts what follows leaves a child that goes on here with its parent's file. */
    share_mark();
    const int error = hak_os_shared_create(PROFILE_SHARE_LABEL, share_bytes(), &share_file);
    if (error != 0) {
        /* Where files may not grow, the profile at exit says so, if there is to be one. */
        if (error != EFBIG || hak_options.profile[0] == '\0') {
            hak_report_warning_to(hak_os_error_kept(),
                                  "no tool can read the profile while the program runs, its memory cannot be made",
                                  NULL, hak_os_file_problem(error));
        }
        hak_store_relaxed(&share_problem, (uint32_t)error);
        /* Release: pairs with the acquire in hak_profile_page_problem. */
        hak_store_release(&share_state, (uint32_t)SHARE_FAILED);
        return;
    }
    share_table = share_file.start;
    share_frames = 0;
    share_copy_all(table);
    hak_store_relaxed(&share_state, (uint32_t)SHARE_ON);
    /* Release: who finds the magic finds the rest. */
    hak_store_release(&share_table->magic, PROFILE_MAGIC);
}

/* The file is made anew. */
static void share_leave(void) {
    hak_os_shared_leave(&share_file);
    hak_store_relaxed(&share_state, (uint32_t)SHARE_WANTED);
}

static bool share_is_to_look(uint32_t index) {
    uint32_t *const samples = &share_counts[index % SHARE_COUNTS].samples;
    const uint32_t count = hak_load_relaxed(samples) + 1;
    hak_store_relaxed(samples, count);
    return count % SHARE_LOOK_EVERY == 0;
}

/* A program that has closed the descriptor gets another; a child gets a file of its own. */
static bool share_is_lost(void) {
    return hak_profile_page_is_parents() ||
           (hak_load_relaxed(&share_state) == SHARE_ON && !hak_os_shared_is_open(&share_file));
}

void hak_profile_page_whole(const struct hak_profile_table *table) {
    if (share_is_lost()) {
        share_leave();
    }
    if (hak_load_relaxed(&share_state) == SHARE_WANTED) {
        share_make(table);
    } else if (hak_load_relaxed(&share_state) == SHARE_ON) {
        share_copy_all(table);
    }
}

void hak_profile_page_record(const struct hak_profile_table *table, uint32_t index) {
    /* In a child that no handler saw the sample that goes with it makes the child's file. */
    if (hak_load_relaxed(&share_state) == SHARE_ON && !share_is_copied()) {
        share_copy_record(table, index);
    }
}

bool hak_profile_page_sample(const struct hak_profile_table *table, uint32_t index) {
    const uint32_t state = hak_load_relaxed(&share_state);
    if (HAK_UNLIKELY(state != SHARE_ON)) {
        return state == SHARE_WANTED || state == SHARE_PARENTS;
    }
    if (HAK_UNLIKELY(share_is_copied())) {
        return true;
    }
    if (index < PROFILE_RECORDS) {
        share_copy_counts(table, index);
    }
    share_copy_lost(table);
    return HAK_UNLIKELY(share_is_to_look(index)) && !hak_os_shared_is_open(&share_file);
}

struct hak_profile_table *hak_profile_page_shared(void) {
    return hak_load_relaxed(&share_state) == SHARE_ON ? share_table : NULL;
}

int hak_profile_page_problem(void) {
    /* Acquire: pairs with the release in share_make; the problem is that of this failure, or of a later one. */
    const uint32_t state = hak_load_acquire(&share_state);
    return state == SHARE_OFF ? ENOTSUP : state == SHARE_FAILED ? (int)hak_load_relaxed(&share_problem) : 0;
}

void hak_profile_page_try_again(void) {
    uint32_t failed = SHARE_FAILED;
    /* Acquire-release, which nothing needs: whoever holds a lock finds no file before and after it, and nobody else leaves this
     * state. */
    (void)hak_compare_exchange_acq_rel(&share_state, &failed, (uint32_t)SHARE_WANTED);
}

/* Relaxed: a snapshot; a child begins with one thread. */
bool hak_profile_page_is_parents(void) {
    const uint32_t state = hak_load_relaxed(&share_state);
    return state == SHARE_PARENTS || (state == SHARE_ON && share_is_copied());
}

void hak_profile_page_fork_child(bool is_whole) {
    if (hak_load_relaxed(&share_state) != SHARE_ON) {
        return;
    }
    if (is_whole) {
        share_leave();
    } else {
        hak_store_relaxed(&share_state, (uint32_t)SHARE_PARENTS);
    }
}
