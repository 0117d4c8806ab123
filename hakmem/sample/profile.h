/* SPDX-License-Identifier: MIT */
/* The sampling profile: which blocks are sampled, where they lie, and how their frees are noticed.
 *
 * The hot path has no test for it. A thread's loaded magazine looks empty when the next sample is due (magazine/sampling.h), so
 * the sampled allocation takes the slow path. The chunk of a sampled block reads 0 in the page map ("hidden"), so its free takes
 * the slow path as well, like that of a huge block. If the block is the only one of its slab, its chunks are hidden while it
 * lives. Otherwise it comes from a slab that holds sampled blocks only, because hiding a chunk makes the frees of all its blocks
 * slow. Statistics and walks see sampled blocks like any others.
 *
 * Each class has a lock of rank HAK_RANK_PROFILE, taken once for each sample and once for its free: threads whose blocks are
 * of different classes do not meet. The table of records is common to all classes. What is known in it is found and counted
 * without a further lock; a record that is new takes the records lock. What concerns all, such as another rate, takes all locks.
 * Any thread. */
#ifndef HAKMEM_SAMPLE_PROFILE_H
#define HAKMEM_SAMPLE_PROFILE_H

#include "hakmem/base/compiler.h"
#include "hakmem/base/lock.h"
#include "hakmem/magazine/sampling_state.h"
#include "hakmem/sample/due.h"
#include "hakmem/sample/record.h"
#include "hakmem/size_class/size_class.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PROFILE_RATE_DEFAULT ((uint64_t)512 << 10)
#define PROFILE_RATE_MAX ((uint64_t)1 << 40)

/* The call site of the allocation that this thread is in: an address within the program's call, or the site that hak_alloc_at was
 * given. NULL: the slow path takes its own return address. */
extern HAK_THREAD_LOCAL const void *hak_profile_site;

/* An address within the call that returns to `caller`. */
HAK_ALWAYS_INLINE const void *profile_call(const void *caller) { return (const char *)caller - 1; }

/* Sets the thread's site unless an outer function has set one. The result goes to profile_leave. */
HAK_ALWAYS_INLINE bool profile_enter(const void *site) {
    if (HAK_LIKELY(!sampling_may_be_on()) || hak_profile_site != NULL) {
        return false;
    }
    hak_profile_site = site;
    return true;
}

HAK_ALWAYS_INLINE void profile_leave(bool entered) {
    if (HAK_UNLIKELY(entered)) {
        hak_profile_site = NULL;
    }
}

/* Called once, by hak_process_begin. Starts the profile if HAKMEM_PROFILE or HAKMEM_LEAKS is set. */
void hak_profile_init(void);

/* Starts, or goes on with another rate; what was sampled before still counts, by its own rate. Any thread. ENOMEM; ENOTSUP: a
 * full guard build. pre: 1 <= rate <= PROFILE_RATE_MAX; the caller holds no lock */
int hak_profile_turn_on(uint64_t rate);

void hak_profile_turn_off(void);

/* Has the observer look at everything. Any thread. pre: the caller holds no lock; there is a table */
void hak_profile_show_whole(void);

struct hak_thread;
struct hak_thread_chance;

/* What a thread draws from, of the profile's present start; begun anew, without thinning, where it was of another. By the
 * thread, as the next two */
struct hak_thread_chance *hak_profile_chance(struct hak_thread *thread);

/* Blocks of the class that are passed over before the next sample, by the thread's thinning. */
uint64_t hak_profile_draw(struct hak_thread_chance *chance, unsigned class_index);

/* A sample was taken. At the default rate alone the thread thins out by what its samples cost (thinning.h); `is_unwound`:
 * what hak_stack_capture said. */
void hak_profile_spend(struct hak_thread_chance *chance, bool is_unwound);

/* What a thread draws from first; its number makes it another than that of other threads. */
uint64_t hak_profile_random_of(uint32_t thread_number);

/* One trial, for threads that draw nothing: whether a block of the class is sampled, and in which epoch that was drawn. */
bool hak_profile_try(unsigned class_index, uint32_t *epoch);

/* Whether a sampled block of the class is an ordinary one, of a slab by itself, which hak_profile_note enters. Else it comes
 * from hak_profile_alloc. */
HAK_ALWAYS_INLINE bool profile_is_in_place(unsigned class_index) { return hak_classes[class_index].blocks == 1; }

/* A sampled block of the class. NULL: no memory, and the sample is lost; or the profile was switched, and it counts no more
 * pre: !profile_is_in_place(class_index) */
void *hak_profile_alloc(unsigned class_index, const struct hak_due *due, bool *zeroed);

/* Enters a block that was just allocated. false: as NULL above. pre: profile_is_in_place(class_index) */
bool hak_profile_note(void *p, unsigned class_index, const struct hak_due *due);

/* Samples a huge block, by chance. `size` is that of the block, in bytes; `asked` what the program asked for. */
void hak_profile_note_huge(const void *start, size_t size, size_t asked, const void *site);

/* What hak_profile_forget found. Else: the class of the block. */
#define PROFILE_NOT_SAMPLED (-1)
#define PROFILE_HUGE 0

/* Counts the free of a sampled block. One of hak_profile_alloc is given back; all others the caller frees, after this. `caller`:
 * where the call that frees returns to, or NULL; for reports, where there is guard and every block is sampled. */
int hak_profile_forget(void *p, const void *caller);

/* For a realloc that may move a huge block: from its move on the address may be another block's, and only then is it known whether it
 * moved. Result: what to call the block's record by, which no address leads to now and which counts as live; 0: it is not sampled.
 * One of the next two has to follow: the block is live and starts at p as before; or it is counted as freed. */
uintptr_t hak_profile_set_aside(const void *p);
void hak_profile_put_back(uintptr_t aside, const void *p);
void hak_profile_forget_aside(uintptr_t aside);

/* Class of the sampled block of a slab that starts at p; 0 where there is none. */
unsigned hak_profile_class(const void *p);

/* The same for any address in the block. */
unsigned hak_profile_find(const void *p);

/* Where the sampled block that starts at p was allocated; NULL where it is not sampled. Waits for no lock: for reports,
 * on the way to an abort, where the table might be in the middle of a change. */
const void *hak_profile_site_of(const void *p);

/* The same, with the lock: for questions. */
const void *hak_profile_site_at(const void *p);

/* The record of the sampled block that starts at p; PROFILE_RECORDS where it is not sampled. */
uint32_t hak_profile_record_at(const void *p);

/* Calls visit for memory of the profile's own that holds addresses of blocks, or what was found on stacks. Of one thread at a time. */
void hak_profile_visit_notes(void (*visit)(void *start, size_t size, void *argument), void *argument);

/* What was sampled; NULL before the first start. */
const struct hak_profile_table *hak_profile_table(void);

/* What is known of the sampled block that starts at p. false: none does */
struct hak_profile_sample;
bool hak_profile_describe(const void *p, struct hak_profile_sample *out);

/* Sampled blocks that are live now. */
uint64_t hak_profile_live_count(void);

/* Makes what is drawn from here on depend on `seed` only: for tests. */
void hak_profile_seed(uint64_t seed);

/* Around fork: the child finds everything consistent. */
void hak_profile_fork_locks(lock_visit *visit, struct lock_fork *fork);

/* Whether no thread is in the middle of a change to the table: not even one that a fork in a signal handler interrupted. */
bool hak_profile_is_whole(void);

#ifdef __cplusplus
}
#endif

#endif
