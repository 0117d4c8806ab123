/* SPDX-License-Identifier: MIT */
/* What each thread has of its own; see record.h. */
#include "hakmem/magazine/record.h"

#include "hakmem/base/bits.h"
#include "hakmem/os/os.h"

void *const hak_record_no_slots[MAGAZINE_SLOTS] __attribute__((aligned(MAGAZINE_BYTES)));

HAK_THREAD_LOCAL void **hak_loaded[HAK_CLASS_COUNT] = {[0 ... HAK_CLASS_COUNT - 1] = RECORD_NO_ROOM};
/* NULL counts as the top of a full magazine. */
HAK_THREAD_LOCAL void **hak_returned[HAK_CLASS_COUNT];
HAK_THREAD_LOCAL struct hak_thread *hak_self;
HAK_THREAD_LOCAL bool hak_magazine_is_inside;

void *hak_record_take_limited(struct hak_thread *thread, unsigned class_index) {
    if (thread == NULL) {
        return NULL;
    }
    void ***loaded = &thread->loaded[class_index];
    void *p = (*loaded)[-1];
    if (p != NULL) {
        hak_move_owned(loaded, -1);
    }
    return p;
}

struct hak_thread *hak_records; /* atomic: written under the threads lock */

/* Acquire: pairs with the release of hak_record_add. */
struct hak_thread *hak_record_newest(void) {
    return hak_load_acquire(&hak_records);
}

void hak_record_add(struct hak_thread *thread) {
    thread->older = hak_records;
    thread->number = 1 + (thread->older == NULL ? THREAD_NUMBER_SHARED : thread->older->number);
    hak_store_release(&hak_records, thread);
}

size_t hak_record_bytes(void) { return bits_round_up(sizeof(struct hak_thread), hak_os_page_size()); }
