/* SPDX-License-Identifier: MIT */
/* Lists of records, and what becomes of a record without a thread: it waits for a later thread, and after the decay time
 * its pages behind the first, which hold magazines and nothing that has to last, go back to the system.
 *
 * `link` of a record is one of three:
 *
 *     NULL                          a thread has the record
 *     what points at the record     it is in a list
 *     its own `next`                it is being purged, or was lost with a thread that the child of a fork does not have:
 *                                   no thread has it, and none gets it
 *
 * Under the threads lock unless said otherwise. */
#ifndef HAKMEM_MAGAZINE_RECORD_LIST_H
#define HAKMEM_MAGAZINE_RECORD_LIST_H

#include "hakmem/base/lock.h"
#include "hakmem/magazine/record.h"
#include "hakmem/region/decay.h"

/* No thread has the record or gets it. pre: it is in no list */
void hak_record_withhold(struct hak_thread *record);

/* Keeps a record for a later thread. pre: it is in no list, and its magazines are empty */
void hak_record_recycle(struct hak_thread *record);

/* Takes the record whose thread ended last, for the calling thread; its pages are the likeliest to be there still. NULL:
 * there is none */
struct hak_thread *hak_record_take_recycled(void);

/* Bytes of the record's storage that may be resident, since it is used from the first magazine on. By who has the record,
 * without the lock. */
size_t hak_record_used_bytes(const struct hak_thread *record);

/* Bytes of recycled records that are not purged yet. Any thread, without the lock. Relaxed: a hint of how much there is to
 * purge. */
extern HAK_INTERNAL size_t hak_record_unpurged; /* atomic */
HAK_ALWAYS_INLINE size_t record_unpurged_bytes(void) { return hak_load_relaxed(&hak_record_unpurged); }

/* Returns the pages of a record's storage to the system; they read zero. Result: bytes. By who has the record, without
 * the lock. pre: the magazines are taken away (hak_exchange_unfurnish) */
size_t hak_record_purge(struct hak_thread *record, bool by_mapping);

/* The next piece of a pass over recycled records. true: the pass is over. Takes `lock`, which is the threads lock, for
 * moments in which it purges nothing. pre: the caller has the purge lock and not the threads lock */
bool hak_record_purge_piece(struct hak_lock *lock, struct decay_pass *pass);

#endif
