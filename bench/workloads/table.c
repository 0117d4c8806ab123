/* The workloads by name. A new one is a row here and a loop in a file of this folder; constant data.
 *
 * Sources are named for what the workload does; sizes and counts that they leave open are chosen here. Default
 * operations take some 50 to 200 ms a run, those of several threads with two.
 *
 * Not exact are workloads that start threads, and those that free so much memory that allocators ask the clock whether
 * to give it back. */
#include "bench/workloads/workload.h"

#include <string.h>

#define RUN(name) {name##_run, name##_run_verified, name##_run_memory, name##_run_latency}

#define SINGLE .group = "single", .threads_min = 1, .threads_max = 1
#define THREADS .group = "threads", .threads_min = 1, .threads_max = WORKLOAD_THREADS_MAX

#define KIB UINT32_C(1024)
#define MIB (1024 * KIB)

#define WORKING_SET(title, text, bytes, same, operations, quick)                                                 \
    {                                                                                                            \
        .name = title, .description = "a random one of the blocks of 16 to 496 bytes replaced, " text " live",   \
        .source = "random replacement as in Larson and Krishnan, Memory Allocation for Long-Running Server "     \
                  "Applications (ISMM 1998), over the sizes of a memory hierarchy as in McVoy and Staelin, "     \
                  "lmbench (USENIX 1996)",                                                                       \
        SINGLE, .unit = 1, .exact = same, .default_operations = operations, .quick_operations = quick,           \
        .store_slots = (bytes) / WORKLOAD_SET_BLOCK_BYTES, .working_set = true, .prepare = working_set_prepare,  \
        .finish = store_finish, .run = RUN(working_set)                                                          \
    }

const struct workload workload_table[] = {
    {.name = "pair",
     .description = "8 to 64 bytes, one block allocated and freed at once",
     .source = "the malloc and free loop of Lever and Boreham, malloc() Performance in a Multithreaded Linux "
               "Environment (USENIX 2000)",
     SINGLE, .unit = 1, .exact = true, .default_operations = 20000000, .quick_operations = 200000, .run = RUN(pair)},
    {.name = "batch_lifo",
     .description = "8 to 64 bytes, 100 blocks allocated, then freed, the last one first",
     .source = "sh6bench (MicroQuill, SmartHeap): the blocks that are freed in the order opposite to their allocation",
     SINGLE, .unit = WORKLOAD_BATCH, .exact = true, .default_operations = 20000000, .quick_operations = 200000,
     .run = RUN(batch_lifo)},
    {.name = "batch_fifo",
     .description = "8 to 64 bytes, 100 blocks allocated, then freed, the first one first",
     .source = "sh6bench (MicroQuill, SmartHeap): the blocks that are freed in the order of their allocation",
     SINGLE, .unit = WORKLOAD_BATCH, .exact = true, .default_operations = 20000000, .quick_operations = 200000,
     .run = RUN(batch_fifo)},
    {.name = "batch_random",
     .description = "8 to 64 bytes, 100 blocks allocated, then freed in random order",
     .source = "bench-malloc (Will Newton, GNU C library benchtests, 2014): blocks freed in random order",
     SINGLE, .unit = WORKLOAD_BATCH, .exact = true, .default_operations = 20000000, .quick_operations = 200000,
     .prepare = batch_random_prepare, .run = RUN(batch_random)},
    {.name = "replacement",
     .description = "8 to 64 bytes, a random one of 1,024 blocks replaced",
     .source = "Larson and Krishnan, Memory Allocation for Long-Running Server Applications (ISMM 1998), on one thread",
     SINGLE, .unit = 1, .exact = true, .default_operations = 20000000, .quick_operations = 200000,
     .run = RUN(replacement)},
    WORKING_SET("replacement_1k", "1 KiB", KIB, true, 10000000, 100000),
    WORKING_SET("replacement_64k", "64 KiB", 64 * KIB, true, 10000000, 100000),
    WORKING_SET("replacement_1m", "1 MiB", MIB, true, 10000000, 100000),
    WORKING_SET("replacement_16m", "16 MiB", 16 * MIB, false, 3000000, 65536),
    WORKING_SET("replacement_256m", "256 MiB", 256 * MIB, false, 1048576, 100000),
    {.name = "sizes_server",
     .description = "16 bytes to 64 KiB, small ones by far the most, a random one of 16,384 blocks replaced",
     .source = "the inverse-square sizes of bench-malloc (Will Newton, GNU C library benchtests, 2014)",
     SINGLE, .unit = 1, .exact = false, .default_operations = 5000000, .quick_operations = 50000, .store_slots = 16384,
     .prepare = sizes_server_prepare, .finish = store_finish, .run = RUN(sizes_server)},
    {.name = "sizes_compiler",
     .description = "nine in ten of six node sizes, the rest to 4 KiB; freed by function, one in eight by file",
     .source = "Johnstone and Wilson, The Memory Fragmentation Problem: Solved? (ISMM 1998): few sizes make up most "
               "blocks, and phases end many lives at once",
     SINGLE, .unit = COMPILER_UNIT, .exact = true, .default_operations = 2441 * COMPILER_UNIT,
     .quick_operations = 25 * COMPILER_UNIT, .prepare = sizes_compiler_prepare, .run = RUN(sizes_compiler)},
    {.name = "realloc_growth",
     .description = "8 arrays, a random one grows by half, from 64 bytes to 64 KiB; each growth is an operation",
     .source = "the growth by half of FBVector (Andrei Alexandrescu, Facebook's folly, 2012), by realloc",
     SINGLE, .unit = 1, .exact = false, .default_operations = 500000, .quick_operations = 5000,
     .run = RUN(realloc_growth)},
    {.name = "calloc",
     .description = "16 bytes to 16 KiB by calloc, small ones by far the most, a random one of 256 blocks replaced",
     .source = "the calls of calloc in t-test1 (Wolfram Gloger, ptmalloc)",
     SINGLE, .unit = 1, .exact = true, .default_operations = 5000000, .quick_operations = 50000,
     .prepare = calloc_prepare, .run = RUN(calloc)},
    {.name = "aligned",
     .description = "aligned_alloc to 32, 64, 128 or 4,096 bytes, up to 1 KiB or a page, a random one of 256 blocks "
                    "replaced",
     .source = "the calls of memalign in t-test1 (Wolfram Gloger, ptmalloc)",
     SINGLE, .unit = 1, .exact = true, .default_operations = 4000000, .quick_operations = 50000, .run = RUN(aligned)},
    {.name = "large_churn",
     .description = "1 to 8 MiB, a random one of 16 blocks replaced; one page in 16 written",
     .source = "malloc-large of mimalloc-bench (Daan Leijen): a few very large blocks replaced at random",
     SINGLE, .unit = 1, .exact = false, .default_operations = 1000, .quick_operations = 50, .run = RUN(large_churn)},
    {.name = "json",
     .description = "64 KiB, 8 live, oldest first; every page written",
     .source = "a scenario of this project: documents that a parser has in flight",
     SINGLE, .unit = 1, .exact = false, .default_operations = 400000, .quick_operations = 4000, .run = RUN(json)},
    {.name = "mir",
     .description = "256 KiB, 4 nested; a random part from the front written",
     .source = "a scenario of this project: arenas of a compiler's passes",
     SINGLE, .unit = MIR_DEPTH, .exact = false, .default_operations = 20000, .quick_operations = 1000,
     .prepare = mir_prepare, .run = RUN(mir)},
    {.name = "vm",
     .description = "2 MiB, 2 live, older first; the first quarter and then one page in eight written",
     .source = "a scenario of this project: segments of an interpreter's heap",
     SINGLE, .unit = 1, .exact = false, .default_operations = 30000, .quick_operations = 200, .run = RUN(vm)},
    {.name = "mixed",
     .description = "8 bytes to 4 MiB over all pools, a random one of 256 blocks replaced; every page written",
     .source = "a scenario of this project: a program that uses every pool at once",
     SINGLE, .unit = 1, .exact = false, .default_operations = 200000, .quick_operations = 2000,
     .prepare = mixed_prepare, .run = RUN(mixed)},
    {.name = "local",
     .description = "every thread runs batch_lifo and replacement for itself",
     .source = "threadtest (Berger and others, Hoard: A Scalable Memory Allocator for Multithreaded Applications, "
               "ASPLOS 2000)",
     THREADS, .unit = LOCAL_UNIT, .exact = true, .default_operations = 10000000, .quick_operations = 100000,
     .run = RUN(local)},
    {.name = "handover",
     .description = "as local, and as many blocks again go to the next thread, which frees them",
     .source = "sh8bench (MicroQuill, SmartHeap): some of a thread's blocks are freed by another",
     THREADS, .unit = HANDOVER_UNIT, .exact = true, .default_operations = 5000100, .quick_operations = 60000,
     .prepare = handover_prepare, .run = RUN(handover)},
    {.name = "larson",
     .description = "8 to 1,000 bytes, a random one of a thread's 1,000 blocks replaced; after 20,000 a new thread "
                    "takes them over",
     .source = "Larson and Krishnan, Memory Allocation for Long-Running Server Applications (ISMM 1998)",
     THREADS, .unit = 1, .exact = false, .default_operations = 3000000, .quick_operations = 30000,
     .prepare = larson_prepare, .finish = larson_finish, .run = RUN(larson)},
    {.name = "producer_consumer",
     .description = "16 to 496 bytes; one half of the threads only allocates, the other half only frees",
     .source = "xmalloc-test (Lever and Boreham, 2000; Christian Eder): threads that only allocate and threads that "
               "only free",
     .group = "threads", .threads_min = 2, .threads_max = WORKLOAD_THREADS_MAX, .unit = 1, .exact = false,
     .default_operations = 1500000, .quick_operations = 15000, .prepare = handover_prepare,
     .run = RUN(producer_consumer)},
    {.name = "message_ring",
     .description = "64 to 1,024 bytes; each thread frees a message from the thread before and sends one to the next",
     .source = "the message passing that snmalloc is made for (Liétar and others, snmalloc: A Message Passing "
               "Allocator, ISMM 2019)",
     THREADS, .unit = 1, .exact = true, .default_operations = 1500000, .quick_operations = 15000,
     .run = RUN(message_ring)},
    {.name = "shared_heap",
     .description = "16 bytes to 4 KiB; every thread replaces random ones of 4,096 blocks that all share",
     .source = "the transfer table of mstress (Daan Leijen, mimalloc-bench, 2019)",
     THREADS, .unit = 1, .exact = true, .default_operations = 3000000, .quick_operations = 30000,
     .prepare = shared_heap_prepare, .finish = shared_heap_finish, .run = RUN(shared_heap)},
    {.name = "burst",
     .description = "16 bytes to 1 KiB, 1,024 blocks come in two bursts; some go the oldest first, the others the "
                    "newest first",
     .source = "sh6bench (MicroQuill, SmartHeap), with both of its orders of freeing",
     THREADS, .unit = BURST_UNIT, .exact = true, .default_operations = 4882 * BURST_UNIT,
     .quick_operations = 48 * BURST_UNIT, .prepare = burst_prepare, .run = RUN(burst)},
    {.name = "false_sharing_active",
     .description = "8 bytes, allocated, written 100 times and freed, on every thread",
     .source = "cache-thrash (Emery Berger, Hoard, 2000)",
     THREADS, .unit = 1, .exact = true, .default_operations = 1000000, .quick_operations = 5000,
     .run = RUN(false_sharing_active)},
    {.name = "false_sharing_passive",
     .description = "the same, and each thread begins with freeing a block that thread 0 allocated beside the others'",
     .source = "cache-scratch (Emery Berger, Hoard, 2000)",
     THREADS, .unit = 1, .exact = true, .default_operations = 1000000, .quick_operations = 5000,
     .prepare = false_sharing_passive_prepare, .finish = false_sharing_passive_finish,
     .run = RUN(false_sharing_passive)},
    {.name = "thread_churn",
     .description = "16 to 512 bytes; a new thread allocates 100 blocks, frees half and ends; its starter frees the "
                    "rest",
     .source = "t-test1 (Wolfram Gloger, ptmalloc): threads end and new ones take their place",
     THREADS, .unit = CHURN_UNIT, .exact = false, .default_operations = 100000, .quick_operations = 2000,
     .run = RUN(thread_churn)},
};

const size_t workload_count = sizeof workload_table / sizeof workload_table[0];

const struct workload *workload_find(const char *name) {
    for (size_t i = 0; i < workload_count; i++) {
        if (strcmp(workload_table[i].name, name) == 0) {
            return &workload_table[i];
        }
    }
    return NULL;
}
