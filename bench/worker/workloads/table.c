/* SPDX-License-Identifier: MIT */
/* The list of all workloads, in the order in which --list prints them. */
#include "bench/worker/workloads/workload.h"

#include <string.h>

#define WORKLOADS(X)         \
    X(pair)                  \
    X(batch_lifo)            \
    X(batch_fifo)            \
    X(batch_random)          \
    X(replacement)           \
    X(replacement_1k)        \
    X(replacement_64k)       \
    X(replacement_1m)        \
    X(replacement_16m)       \
    X(replacement_256m)      \
    X(sizes_server)          \
    X(sizes_compiler)        \
    X(simulated_hour)        \
    X(realloc_growth)        \
    X(calloc)                \
    X(aligned)               \
    X(large_churn)           \
    X(standing)              \
    X(json)                  \
    X(mir)                   \
    X(vm)                    \
    X(mixed)                 \
    X(local)                 \
    X(handover)              \
    X(larson)                \
    X(producer_consumer)     \
    X(message_ring)          \
    X(passing)               \
    X(shared_heap)           \
    X(oversubscribed)        \
    X(shared_l2)             \
    X(shared_l25)            \
    X(shared_huge)           \
    X(burst)                 \
    X(false_sharing_active)  \
    X(false_sharing_passive) \
    X(thread_churn)          \
    X(waves)

#define DECLARE(name) extern const struct workload name##_workload;
WORKLOADS(DECLARE)

#define ADDRESS(name) &name##_workload,
const struct workload *const workload_table[] = {WORKLOADS(ADDRESS)};

const size_t workload_count = sizeof workload_table / sizeof workload_table[0];

const struct workload *workload_find(const char *name) {
    for (size_t i = 0; i < workload_count; i++) {
        if (strcmp(workload_table[i]->name, name) == 0) {
            return workload_table[i];
        }
    }
    return NULL;
}
