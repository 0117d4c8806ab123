/* SPDX-License-Identifier: MIT */
/* The profile in shared memory, for tools/hakmem: a file without a name, which /proc/PID/fd shows as
 * "/memfd:hakmem-profile (deleted)", a struct hak_profile_table as record.h has it.
 *
 * The process keeps its own table and repeats each change in the file, so that a fork needs nothing undone. The file is
 * made with the first sample, made again where the program has closed its descriptor, and gone with the process, however
 * that ends. A child makes its own with its next sample, whether a handler of fork saw it begin or not; until then it writes to
 * none, since the mapping that it has is of its parent's. Where the file cannot be made it is not tried with each
 * sample, but when the profile is switched on the next time. Readers take no lock and ask the process nothing: each record's fields
 * are stored in the order that hak_record_read loads them in. */
#ifndef HAKMEM_OBSERVE_PROFILE_PAGE_H
#define HAKMEM_OBSERVE_PROFILE_PAGE_H

#include "hakmem/sample/record.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PROFILE_MAGIC 0x34666f72706b6168u /* "hakprof4" in memory */
#define PROFILE_SHARE_LABEL "hakmem-profile"

/* From the next sample on there is a file. Called while the process is initialised. */
void hak_profile_page_begin(void);

/* What base/observer.h asks for: repeats counts, a new record, or all; `whole` also makes the file. */
bool hak_profile_page_sample(const struct hak_profile_table *table, uint32_t index);
void hak_profile_page_record(const struct hak_profile_table *table, uint32_t index);
void hak_profile_page_whole(const struct hak_profile_table *table);

/* The shared table; NULL: there is none yet, or it is a parent's. Under the profile lock, or in a copy (hak_fork_copy) that was made
 * under it. pre: !hak_profile_page_is_parents() in the process, since a copy looks like any child that no handler saw */
struct hak_profile_table *hak_profile_page_shared(void);

/* 0: tools can read the profile, or will from the next sample on. Else the errno value for which its file could not be made when
 * that was tried last; ENOTSUP: none is wanted. Any thread. */
int hak_profile_page_problem(void);

/* Where the file could not be made it is tried again, with the next sample or switch. By who is about to switch the profile on;
 * any thread. */
void hak_profile_page_try_again(void);

/* Whether this is a child, and the file that is mapped here its parent's. Any thread. */
bool hak_profile_page_is_parents(void);

/* In the child of a fork: the file is the parent's; the child's own is made with its next sample. A sample
 * that the fork interrupted (`is_whole` is false) still goes on with the parent's. */
void hak_profile_page_fork_child(bool is_whole);

#ifdef __cplusplus
}
#endif

#endif
