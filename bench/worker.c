/* A worker: one process that runs one workload with one allocator and prints one line of JSON.
 *
 * The driver (bench/driver) starts a fresh one for each measurement, so that each has memory, faults and
 * address-space layout of its own. The main thread is the workload's thread 0; with one thread no other is
 * ever started. Threads meet at a barrier before and after each run; the clock is read by the main thread
 * between the barriers. Status: 0, 1 where something failed, 2 where the arguments are wrong. */
#include "bench/contender.h"
#include "bench/hot_path.h"
#include "bench/measure.h"
#include "bench/options.h"
#include "bench/workload.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct result {
    uint64_t ns;         /* of the measured part */
    uint64_t operations; /* of all threads in it */
    struct measure_faults faults;
    struct measure_memory memory;
};

/* Static, so that the worker asks the allocator for nothing. Each thread uses its own; rings by neighbours. */
static struct workload_thread threads[WORKLOAD_THREADS_MAX];
static struct handover_ring rings[WORKLOAD_THREADS_MAX];
static struct options options; /* constant after the start */
static pthread_barrier_t barrier;

static HAK_COLD _Noreturn void fail(const char *what, int error) {
    fprintf(stderr, "worker (%s, %s): %s%s%s\n", BENCH_NAME, BENCH_LINK, what, error != 0 ? ": " : "",
            error != 0 ? strerror(error) : "");
    exit(EXIT_FAILURE);
}

static void wait_for_all(void) {
    if (options.threads > 1) {
        pthread_barrier_wait(&barrier);
    }
}

/* All that the clock covers. A function of its own, so that callgrind can count its instructions alone. */
HAK_NOINLINE static void measured_part(workload_run *run, struct workload_thread *thread, uint64_t operations) {
    run(thread, operations);
}

/* One run of the workload; returns nanoseconds from the first barrier to the second. */
static uint64_t run_once(struct workload_thread *thread, uint64_t operations) {
    const struct workload *workload = options.workload;
    if (workload->prepare != NULL) {
        workload->prepare(thread);
    }
    workload_run *run = options.verify ? workload->run_verified : workload->run;
    wait_for_all();
    uint64_t start = measure_clock_ns();
    measured_part(run, thread, operations);
    wait_for_all();
    return measure_clock_ns() - start;
}

static void *other_thread(void *argument) {
    struct workload_thread *thread = argument;
    run_once(thread, options.warm_up);
    run_once(thread, options.operations);
    return NULL;
}

/* Different threads and seeds get states far apart: splitmix64's increment and first multiplier. */
static uint64_t random_state(unsigned index) {
    uint64_t x = (options.seed * WORKLOAD_THREADS_MAX + index + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    return x != 0 ? x : 1;
}

static void set_up_threads(void) {
    for (unsigned i = 0; i < options.threads; i++) {
        threads[i].random = random_state(i);
        threads[i].outgoing = &rings[i];
        threads[i].incoming = &rings[(i + options.threads - 1) % options.threads];
    }
}

static void measure(struct result *result) {
    pthread_t handles[WORKLOAD_THREADS_MAX];
    set_up_threads();
    int error = options.threads > 1 ? pthread_barrier_init(&barrier, NULL, options.threads) : 0;
    for (unsigned i = 1; error == 0 && i < options.threads; i++) {
        error = pthread_create(&handles[i], NULL, other_thread, &threads[i]);
    }
    if (error != 0) {
        fail("threads cannot be started", error);
    }
    run_once(&threads[0], options.warm_up);
    struct measure_faults before, after;
    error = measure_faults_get(&before);
    result->ns = run_once(&threads[0], options.operations);
    if (error != 0 || (error = measure_faults_get(&after)) != 0 ||
        (error = measure_memory_get(&result->memory)) != 0) {
        fail("the kernel does not tell faults and memory", error);
    }
    for (unsigned i = 1; i < options.threads; i++) {
        pthread_join(handles[i], NULL);
    }
    result->operations = options.operations * options.threads;
    result->faults.minor = after.minor - before.minor;
    result->faults.major = after.major - before.major;
}

static void print_config(void) {
    const char *config = contender_config();
    printf("%s\n", config != NULL ? config : "");
}

static void print_list(void) {
    for (size_t i = 0; i < workload_count; i++) {
        printf("%-12s %s\n", workload_table[i].name, workload_table[i].description);
    }
}

/* No value needs escaping: names, versions and switches are of letters, digits, '.' and '+'. */
static void print_result(const struct result *result) {
    const char *config = contender_config();
    printf("{\"name\":\"%s\",\"link\":\"%s\",\"version\":\"%s\",\"config\":%s%s%s,", BENCH_NAME, BENCH_LINK,
           contender_version(), config != NULL ? "\"" : "", config != NULL ? config : "null",
           config != NULL ? "\"" : "");
    printf("\"comparable\":%s,", contender_is_comparable() ? "true" : "false");
    printf("\"workload\":\"%s\",\"threads\":%u,\"operations\":%" PRIu64 ",\"ns\":%" PRIu64 ",",
           options.workload->name, options.threads, result->operations, result->ns);
    printf("\"peak_rss_bytes\":%" PRIu64 ",\"rss_bytes\":%" PRIu64 ",", result->memory.peak_bytes,
           result->memory.resident_bytes);
    printf("\"minor_faults\":%" PRIu64 ",\"major_faults\":%" PRIu64 "}\n", result->faults.minor,
           result->faults.major);
}

int main(int argc, char **argv) {
    options_parse(argc, argv, &options);
    const char *defect = contender_defect();
    if (defect != NULL) {
        fail(defect, 0);
    }
    struct result result;
    switch (options.mode) {
    case OPTIONS_RUN:
        measure(&result);
        print_result(&result);
        break;
    case OPTIONS_CONFIG: print_config(); break;
    case OPTIONS_LIST: print_list(); break;
    case OPTIONS_HOT_PATH:
        hot_path_exercise();
        hot_path_print();
        break;
    }
    if (fflush(stdout) != 0) {
        fail("standard output", errno);
    }
    return EXIT_SUCCESS;
}
