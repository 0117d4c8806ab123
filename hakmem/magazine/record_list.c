/* SPDX-License-Identifier: MIT */
/* See record_list.h. */
#include "hakmem/magazine/record_list.h"

#include "hakmem/base/bits.h"
#include "hakmem/misuse/misuse.h"
#include "hakmem/os/os.h"

static struct hak_thread *record_recycled; /* threads lock; the thread that ended last first */
static struct hak_thread *record_purged;   /* threads lock; likewise without a thread */
size_t hak_record_unpurged;                /* hak_record_used_bytes of all in record_recycled */

void hak_record_withhold(struct hak_thread *record) { record->link = &record->next; }

static void record_link(struct hak_thread **list, struct hak_thread *record) {
    record->next = *list;
    record->link = list;
    if (record->next != NULL) {
        record->next->link = &record->next;
    }
    *list = record;
}

/* Reports the corruption of the process where its neighbours do not point back. The record is withheld then. */
static void record_unlink(struct hak_thread *record) {
    if (HAK_UNLIKELY(*record->link != record || (record->next != NULL && record->next->link != &record->next))) {
        hak_report_corruption("thread", record, "its neighbours in its list do not point back");
    }
    *record->link = record->next;
    if (record->next != NULL) {
        record->next->link = record->link;
    }
    hak_record_withhold(record);
}

size_t hak_record_used_bytes(const struct hak_thread *record) {
    const uintptr_t page = hak_os_page_size();
    const uintptr_t start = bits_round_up((uintptr_t)record->check_stamps, page);
    const uintptr_t end = bits_round_up((uintptr_t)record->magazines[record->magazines_touched], page);
    return end > start ? end - start : 0;
}

void hak_record_recycle(struct hak_thread *record) {
    record->ended_ms = hak_os_clock_ms();
    record_link(&record_recycled, record);
    hak_fetch_add_relaxed(&hak_record_unpurged, hak_record_used_bytes(record));
    hak_decay_note_freed(record->ended_ms);
}

static void record_leave_recycled(struct hak_thread *record) {
    record_unlink(record);
    hak_fetch_add_relaxed(&hak_record_unpurged, -hak_record_used_bytes(record));
}

struct hak_thread *hak_record_take_recycled(void) {
    struct hak_thread *record = record_recycled;
    if (record != NULL) {
        record_leave_recycled(record);
    } else if ((record = record_purged) != NULL) {
        record_unlink(record);
    }
    if (record != NULL) {
        record->link = NULL;
    }
    return record;
}

size_t hak_record_purge(struct hak_thread *record, bool by_mapping) {
    const size_t size = hak_record_used_bytes(record);
    void *start = (void *)bits_round_up((uintptr_t)record->check_stamps, hak_os_page_size());
    if (size == 0 || (by_mapping ? hak_os_purge_by_mapping(start, size) : hak_os_purge(start, size)) != 0) {
        return 0;
    }
    record->magazines_touched = 0;
    return size;
}

/* Records that one hold of the lock takes out of the list. */
#define RECORD_PURGE_BATCH 32

/* Who ended before a time stands behind who ended after it. */
static unsigned record_take_old(struct hak_lock *lock, uint64_t ended_until_ms, struct hak_thread **batch) {
    unsigned count = 0;
    lock_acquire(lock);
    struct hak_thread *record = record_recycled;
    while (record != NULL && record->ended_ms > ended_until_ms) {
        record = record->next;
    }
    for (struct hak_thread *next; record != NULL && count < RECORD_PURGE_BATCH; record = next) {
        next = record->next;
        record_leave_recycled(record);
        batch[count++] = record;
    }
    lock_release(lock);
    DISTURB();
    return count;
}

bool hak_record_purge_piece(struct hak_lock *lock, struct decay_pass *pass) {
    struct hak_thread *batch[RECORD_PURGE_BATCH];
    unsigned count = RECORD_PURGE_BATCH;
    while (pass->left > 0 && count == RECORD_PURGE_BATCH) {
        count = record_take_old(lock, hak_decay_pass_until(pass), batch);
        for (unsigned i = 0; i < count; i++) {
            const size_t bytes = hak_record_purge(batch[i], pass->by_mapping);
            pass->purged += bytes;
            decay_pass_spend(pass, bytes);
        }
        lock_acquire(lock);
        /* What the system refused to take stands among them: it is not asked again until a thread has had the record. */
        for (unsigned i = 0; i < count; i++) {
            record_link(&record_purged, batch[i]);
        }
        lock_release(lock);
    }
    return count < RECORD_PURGE_BATCH;
}
