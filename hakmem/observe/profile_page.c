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

enum { SHARE_OFF, SHARE_WANTED, SHARE_ON, SHARE_PARENTS };

/* Samples between two looks whether the program has closed the descriptor: a look costs some 200 ns. */
#define SHARE_LOOK_EVERY 1024

static uint32_t share_state;                                /* atomic; written under the profile lock */
static struct os_shared share_file;                         /* profile lock; valid while the state is on */
static struct hak_profile_table *share_table;               /* profile lock; what the file holds */
static uint64_t share_used, share_dropped, share_shortened; /* profile lock; what the file's header says */
static uint64_t share_frames;                               /* profile lock; likewise, and as many are copied */
static uint32_t share_until_look;                           /* profile lock */

static size_t share_bytes(void) { return bits_round_up(PROFILE_SHARED_BYTES, hak_os_page_size()); }

void hak_profile_page_begin(void) { hak_store_relaxed(&share_state, (uint32_t)SHARE_WANTED); }

/* The header's line lies at the start of a page, which is seldom in a cache: it is written where it changes. */
static void share_totals(const struct hak_profile_table *table) {
    const uint64_t used = hak_load_relaxed(&table->used), dropped = hak_load_relaxed(&table->dropped);
    const uint64_t shortened = hak_load_relaxed(&table->shortened);
    if (HAK_UNLIKELY(used != share_used || dropped != share_dropped || shortened != share_shortened)) {
        share_used = used;
        share_dropped = dropped;
        share_shortened = shortened;
        /* Release: the entries that it counts are there. */
        hak_store_release(&share_table->used, used);
        hak_store_relaxed(&share_table->dropped, dropped);
        hak_store_relaxed(&share_table->shortened, shortened);
    }
}

/* Before the record that names them. */
static void share_copy_frames(const struct hak_profile_table *table) {
    const uint64_t used = hak_load_relaxed(&table->frames_used);
    if (HAK_UNLIKELY(used != share_frames)) {
        memcpy(&share_table->frames[share_frames], &table->frames[share_frames],
               (used - share_frames) * sizeof *table->frames);
        share_frames = used;
        hak_store_relaxed(&share_table->frames_used, used);
    }
}

static void share_copy(const struct hak_profile_table *table, uint32_t index) {
    const struct profile_record *from = &table->records[index];
    struct profile_record *to = &share_table->records[index];
    to->site = from->site;
    to->size = from->size;
    to->callers = from->callers;
    /* Relaxed, all of `from`: written under the lock that is held. */
    hak_store_relaxed(&to->allocations, hak_load_relaxed(&from->allocations));
    /* Release: pairs with a tool's reading, in the order of hak_record_read. */
    hak_store_release(&to->frees, hak_load_relaxed(&from->frees));
}

static void share_make(const struct hak_profile_table *table) {
    const int error = hak_os_shared_create(PROFILE_SHARE_LABEL, share_bytes(), &share_file);
    if (error != 0) {
        /* Where files may not grow, the profile at exit says so, if there is to be one. */
        if (error != EFBIG || hak_options.profile[0] == '\0') {
            hak_report_warning_to(hak_os_error_kept(),
                                  "no tool can read the profile while the program runs, its memory cannot be made",
                                  NULL, hak_os_file_problem(error));
        }
        hak_store_relaxed(&share_state, (uint32_t)SHARE_OFF);
        return;
    }
    share_table = share_file.start;
    share_used = share_dropped = share_shortened = share_frames = 0;
    share_until_look = SHARE_LOOK_EVERY;
    hak_store_relaxed(&share_state, (uint32_t)SHARE_ON);
    hak_profile_page_whole(table);
    /* Release: who finds the magic finds the rest. */
    hak_store_release(&share_table->magic, PROFILE_MAGIC);
}

/* The next sample makes the file anew. */
static void share_leave(void) {
    hak_os_shared_leave(&share_file);
    hak_store_relaxed(&share_state, (uint32_t)SHARE_WANTED);
}

/* A program that has closed the descriptor gets another. */
static void share_look(void) {
    if (--share_until_look == 0) {
        share_until_look = SHARE_LOOK_EVERY;
        if (!hak_os_shared_is_open(&share_file)) {
            share_leave();
        }
    }
}

void hak_profile_page_whole(const struct hak_profile_table *table) {
    if (hak_load_relaxed(&share_state) != SHARE_ON) {
        return;
    }
    for (uint32_t index = 0; index < hak_record_count(table); index++) {
        hak_profile_page_record(table, index);
    }
    hak_store_relaxed(&share_table->rate, hak_load_relaxed(&table->rate));
}

void hak_profile_page_record(const struct hak_profile_table *table, uint32_t index) {
    if (HAK_UNLIKELY(hak_load_relaxed(&share_state) == SHARE_PARENTS)) {
        share_leave();
    }
    if (hak_load_relaxed(&share_state) == SHARE_ON) {
        share_look();
    }
    if (HAK_UNLIKELY(hak_load_relaxed(&share_state) == SHARE_WANTED)) {
        share_make(table);
    }
    if (hak_load_relaxed(&share_state) == SHARE_ON) {
        share_copy_frames(table);
        share_copy(table, index);
        share_totals(table);
    }
}

struct hak_profile_table *hak_profile_page_shared(void) {
    return hak_load_relaxed(&share_state) == SHARE_ON ? share_table : NULL;
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
