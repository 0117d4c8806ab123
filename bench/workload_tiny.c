/* Tiny blocks on one thread: the patterns that show what a malloc and a free cost when nothing else happens.
 *
 * Run by worker.c on the main thread; all data are the thread's own. */
#include "bench/workload_patterns.h"

HAK_ALWAYS_INLINE void batches(struct workload_thread *thread, uint64_t operations, const bool verify) {
    for (uint64_t done = 0; done < operations; done += TINY_BATCH) {
        pattern_batch(thread, verify);
    }
}

HAK_ALWAYS_INLINE void replacement(struct workload_thread *thread, uint64_t operations, const bool verify) {
    pattern_slots_clear(thread, TINY_SLOTS);
    pattern_replace(thread, operations, verify);
    pattern_slots_free(thread, TINY_SLOTS, verify);
}

void tiny_pair_run(struct workload_thread *thread, uint64_t operations) { pattern_pair(thread, operations, false); }
void tiny_pair_run_verified(struct workload_thread *thread, uint64_t operations) {
    pattern_pair(thread, operations, true);
}

void tiny_batch_run(struct workload_thread *thread, uint64_t operations) { batches(thread, operations, false); }
void tiny_batch_run_verified(struct workload_thread *thread, uint64_t operations) { batches(thread, operations, true); }

void tiny_replacement_run(struct workload_thread *thread, uint64_t operations) {
    replacement(thread, operations, false);
}
void tiny_replacement_run_verified(struct workload_thread *thread, uint64_t operations) {
    replacement(thread, operations, true);
}
