/* See share.h. */
#include "hakmem/profile/share.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/bits.h"
#include "hakmem/base/warning.h"
#include "hakmem/os/os.h"

enum { SHARE_OFF, SHARE_WANTED, SHARE_ON, SHARE_PARENTS };

static uint32_t share_state;               /* atomic; written under the profile lock */
static struct profile_table *share_table;  /* profile lock; what the file holds */
static pid_t share_process;                /* profile lock, or once SHARE_ON was seen; whose file it is */
static uint64_t share_used, share_dropped; /* profile lock; what the file's header says */

#define SHARE_PATH_BYTES (sizeof PROFILE_SHARE_PATH + 20)

static void share_path(pid_t process, char path[SHARE_PATH_BYTES]) {
    char digits[20];
    size_t first = sizeof digits, length = sizeof PROFILE_SHARE_PATH - 1;
    memcpy(path, PROFILE_SHARE_PATH, length);
    for (uint64_t rest = (uint64_t)process; rest != 0; rest /= 10) {
        digits[--first] = (char)('0' + rest % 10);
    }
    memcpy(path + length, digits + first, sizeof digits - first);
    path[length + sizeof digits - first] = '\0';
}

static size_t share_bytes(void) { return bits_round_up(PROFILE_SHARED_BYTES, os_page_size()); }

void share_begin(void) { hak_store_relaxed(&share_state, (uint32_t)SHARE_WANTED); }

/* The header's line lies at the start of a page, which is seldom in a cache: it is written where it changes. */
static void share_totals(const struct profile_table *table) {
    const uint64_t used = hak_load_relaxed(&table->used), dropped = hak_load_relaxed(&table->dropped);
    if (HAK_UNLIKELY(used != share_used || dropped != share_dropped)) {
        share_used = used;
        share_dropped = dropped;
        /* Release: the entries that it counts are there. */
        hak_store_release(&share_table->used, used);
        hak_store_relaxed(&share_table->dropped, dropped);
    }
}

static void share_copy(const struct profile_table *table, uint32_t index) {
    const struct profile_record *from = &table->records[index];
    struct profile_record *to = &share_table->records[index];
    to->site = from->site;
    to->size = from->size;
    /* Relaxed, all of `from`: written under the lock that is held. */
    hak_store_relaxed(&to->allocations, hak_load_relaxed(&from->allocations));
    /* Release: pairs with a tool's reading, in the order of record_read. */
    hak_store_release(&to->frees, hak_load_relaxed(&from->frees));
}

static void share_make(const struct profile_table *table) {
    char path[SHARE_PATH_BYTES];
    void *memory;
    share_process = getpid();
    share_path(share_process, path);
    int error = os_shared_create(path, share_bytes(), &memory);
    if (error == EEXIST && os_shared_remove(path) == 0) {
        /* Of an earlier program in this process, before exec, or of an earlier process of this number. */
        error = os_shared_create(path, share_bytes(), &memory);
    }
    if (error != 0) {
        report_warning("no tool can read the profile while the program runs, the file cannot be made", path,
                       strerrordesc_np(error));
        hak_store_relaxed(&share_state, (uint32_t)SHARE_OFF);
        return;
    }
    share_table = memory;
    share_used = share_dropped = 0;
    /* Release: pairs with share_end, which has no lock and reads whose file it is. */
    hak_store_release(&share_state, (uint32_t)SHARE_ON);
    share_whole(table);
    /* Release: who finds the magic finds the rest. */
    hak_store_release(&share_table->magic, PROFILE_MAGIC);
}

void share_whole(const struct profile_table *table) {
    if (hak_load_relaxed(&share_state) != SHARE_ON) {
        return;
    }
    for (uint32_t index = 0; index < record_count(table); index++) {
        share_record(table, index);
    }
    hak_store_relaxed(&share_table->rate, hak_load_relaxed(&table->rate));
}

static void share_leave(void) {
    (void)os_unmap_shared(share_table, share_bytes());
    hak_store_relaxed(&share_state, (uint32_t)SHARE_WANTED);
}

void share_record(const struct profile_table *table, uint32_t index) {
    if (HAK_UNLIKELY(hak_load_relaxed(&share_state) == SHARE_PARENTS)) {
        share_leave();
    }
    if (HAK_UNLIKELY(hak_load_relaxed(&share_state) == SHARE_WANTED)) {
        share_make(table);
    }
    if (hak_load_relaxed(&share_state) == SHARE_ON) {
        share_copy(table, index);
        share_totals(table);
    }
}

void share_fork_child(bool is_whole) {
    if (hak_load_relaxed(&share_state) != SHARE_ON) {
        return;
    }
    if (is_whole) {
        share_leave();
    } else {
        hak_store_relaxed(&share_state, (uint32_t)SHARE_PARENTS);
    }
}

void share_end(void) {
    /* The name goes, the mapping stays: threads may be sampling still. Acquire: pairs with share_make. */
    if (hak_load_acquire(&share_state) == SHARE_ON && share_process == getpid()) {
        char path[SHARE_PATH_BYTES];
        share_path(share_process, path);
        (void)os_shared_remove(path);
    }
}
