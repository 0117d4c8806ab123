/* SPDX-License-Identifier: MIT */
/* See soak.h. Two threads stay for the whole run and keep what they cache; two come and go in each phase, and one of these forks in the
 * middle of its work. All wait while the main thread looks. */
#include "tests/soak/soak.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hakmem/hakmem.h"
#include "tests/harness/system.h"
#include "tests/soak/load.h"
#include "tests/soak/slope.h"

#define STAYING 2u
#define PASSING 2u
#define CHILD_SECONDS 600u /* a child that hangs is ended by SIGALRM */
#define PAIRS 200000u      /* of calls, that speed is measured by */

/* Beside what the statistics account for: the stacks of threads, the C library's memory, and pages that the kernel counts late. */
#define SLACK_BYTES ((size_t)1 << 20)
/* The most by which the resident memory of an empty heap may grow over a run. */
#define DRIFT_BYTES ((double)(512 << 10))
#define DRIFT_SPEED 0.10

struct run {
    const struct soak_options *options;
    struct soak_result result;
    size_t resident_before;
    const struct load_phase *phase; /* constant while threads work */
    uint64_t phase_seed;            /* likewise */
    bool is_over;                   /* likewise */
    pthread_barrier_t begin, end;
    struct slope resident, speed;
};

struct worker {
    struct run *run;
    pthread_t thread;
    unsigned index;
    unsigned damaged;
    int child_status; /* 0: it did what it should */
};

__attribute__((format(printf, 2, 3))) static void fail(struct run *run, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("soak: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    run->result.failures++;
}

static void work(struct worker *worker, unsigned part) {
    const struct run *run = worker->run;
    worker->damaged += load_work(run->phase, run->phase_seed + worker->index * 16 + part, run->options->operations / 2);
}

static void *stay(void *argument) {
    struct worker *worker = argument;
    for (;;) {
        pthread_barrier_wait(&worker->run->begin);
        if (worker->run->is_over) return NULL;
        work(worker, 0);
        work(worker, 1);
        pthread_barrier_wait(&worker->run->end);
    }
}

/* The child's status, in the parent. */
static int fork_at_work(uint64_t seed) {
    const pid_t child = fork();
    if (child < 0) return errno == EAGAIN || errno == ENOMEM ? 0 : -1;
    if (child == 0) {
        alarm(CHILD_SECONDS);
        _exit(load_in_child(seed) == 0 ? 0 : 1);
    }
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    return status;
}

static void *pass(void *argument) {
    struct worker *worker = argument;
    work(worker, 0);
    if (worker->index == STAYING) worker->child_status = fork_at_work(worker->run->phase_seed);
    work(worker, 1);
    return NULL;
}

static bool add_start(const struct hak_walk_block *block, void *argument) {
    *(uint64_t *)argument += load_hash(block->start);
    return true;
}

static void expect_resident(struct run *run, const struct hak_stats *s, const char *when) {
    if (!run->options->judges_resident) return;
    const uint64_t bound = s->tiny.live_bytes + s->l2.live_bytes + s->l25.live_bytes + s->huge.live_bytes +
                           s->magazine_bytes + s->slab_free_bytes + s->metadata_bytes + s->decaying_bytes;
    const size_t now = system_resident_bytes();
    const size_t resident = now > run->resident_before ? now - run->resident_before : 0;
    if (resident > bound + SLACK_BYTES)
        fail(run, "%s: %zu bytes are resident, %" PRIu64 " accounted for", when, resident, bound);
}

static void expect_pool(struct run *run, const char *name, const struct hak_pool_stats *pool, const char *when) {
    if (pool->allocations - pool->frees != pool->live_blocks)
        fail(run, "%s: %s: %" PRIu64 " allocations, %" PRIu64 " frees and %" PRIu64 " live blocks", when, name,
             pool->allocations, pool->frees, pool->live_blocks);
}

/* All workers wait, or have ended. */
static void look(struct run *run, const char *when) {
    const struct load_sum sum = load_sum();
    struct hak_stats stats;
    run->result.pauses++;
    if (sum.damaged != 0) fail(run, "%s: %" PRIu64 " blocks have lost their content", when, sum.damaged);
    hak_stats_get(&stats);
    expect_resident(run, &stats, when);
    /* Estimated counts agree on average only. */
    if (stats.exact) {
        expect_pool(run, "tiny", &stats.tiny, when);
        expect_pool(run, "l2", &stats.l2, when);
        expect_pool(run, "l25", &stats.l25, when);
        expect_pool(run, "huge", &stats.huge, when);
    }
    const uint64_t live =
        stats.tiny.live_blocks + stats.l2.live_blocks + stats.l25.live_blocks + stats.huge.live_blocks;
    if (live != sum.blocks)
        fail(run, "%s: %" PRIu64 " blocks are live, the statistics say %" PRIu64, when, sum.blocks, live);
    struct hak_walk_result walked = {0};
    uint64_t starts = 0;
    const int error = hak_walk(add_start, &starts, &walked);
    if (error != 0) {
        fail(run, "%s: the walk ended with error %d", when, error);
    } else if (walked.blocks != sum.blocks || starts != sum.starts) {
        fail(run, "%s: the walk found %" PRIu64 " blocks, %" PRIu64 " are live%s", when, walked.blocks, sum.blocks,
             walked.blocks == sum.blocks ? ", and not the same" : "");
    }
    if (run->options->judges_resident && stats.held_bytes_most < sum.bytes)
        fail(run, "%s: at most %" PRIu64 " bytes were held, and %" PRIu64 " are live", when, stats.held_bytes_most,
             sum.bytes);
}

static void go_through(struct run *run, struct worker *staying, const struct load_phase *phase) {
    struct worker passing[PASSING] = {0};
    run->phase = phase;
    run->phase_seed += 1000;
    pthread_barrier_wait(&run->begin);
    unsigned started = 0;
    for (; started < PASSING; started++) {
        passing[started] = (struct worker){.run = run, .index = STAYING + started};
        if (pthread_create(&passing[started].thread, NULL, pass, &passing[started]) != 0) break;
    }
    for (unsigned i = 0; i < started; i++) {
        pthread_join(passing[i].thread, NULL);
        if (passing[i].damaged != 0) fail(run, "%s: %u blocks had lost their content", phase->name, passing[i].damaged);
        if (passing[i].child_status != 0)
            fail(run, "%s: a child of a fork under load ended with wait status %d", phase->name,
                 passing[i].child_status);
    }
    run->result.children += started > 0;
    pthread_barrier_wait(&run->end);
    for (unsigned i = 0; i < STAYING; i++) {
        if (staying[i].damaged != 0) fail(run, "%s: %u blocks had lost their content", phase->name, staying[i].damaged);
        staying[i].damaged = 0;
    }
    look(run, phase->name);
}

/* A child sees the parent's blocks, and may free them. */
static void fork_in_pause(struct run *run) {
    const pid_t child = fork();
    if (child < 0) return;
    if (child == 0) {
        alarm(CHILD_SECONDS);
        struct load_sum sum = load_sum();
        load_thin(3);
        hak_trim();
        struct load_sum left = load_sum();
        _exit(sum.damaged + left.damaged == 0 && load_in_child(run->phase_seed) == 0 ? 0 : 1);
    }
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    run->result.children++;
    if (status != 0) fail(run, "a child of a fork in a pause ended with wait status %d", status);
}

/* Nanoseconds of processor time of a pair of calls. */
static double measure_speed(void) {
    struct timespec begin, end;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    for (unsigned i = 0; i < PAIRS; i++) hak_free(hak_alloc(16 + i % 64 * 16));
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    return ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / PAIRS;
}

static void cycle(struct run *run, struct worker *staying) {
    for (unsigned i = 0; i < LOAD_PHASES; i++)
        go_through(run, staying, &load_phases[(i + run->result.cycles) % LOAD_PHASES]);
    fork_in_pause(run);
    load_thin(4);
    look(run, "thinned");
    hak_trim();
    look(run, "thinned and trimmed");
    load_thin(0);
    hak_trim();
    look(run, "all freed and trimmed");
    slope_add(&run->resident, (double)system_resident_bytes());
    slope_add(&run->speed, measure_speed());
    run->result.cycles++;
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What a run begins with is no drift: the first quarter is left out. `rises`: more than by chance, as the resident memory of an empty
 * heap, which is 6 MiB or 15, whatever the threads' magazines happen to lie in. */
static double growth(const struct slope *slope, bool *rises) {
    static struct slope later;
    later = (struct slope){0};
    for (unsigned i = slope->count / 4; i < slope->count; i++) slope_add(&later, slope->values[i]);
    *rises = slope_rises(&later);
    return slope_growth(&later);
}

static void judge_drift(struct run *run) {
    bool resident_rises, speed_rises;
    run->result.resident_growth = growth(&run->resident, &resident_rises);
    const double median = slope_median(&run->speed);
    const double slower = growth(&run->speed, &speed_rises);
    run->result.speed_growth = median > 0 ? slower / median : 0;
    if (run->options->judges_resident && resident_rises && run->result.resident_growth > DRIFT_BYTES)
        fail(run, "the resident memory of an empty heap grew by %.0f bytes", run->result.resident_growth);
    if (run->options->judges_speed && speed_rises && run->result.speed_growth > DRIFT_SPEED)
        fail(run, "a pair of calls takes %.1f %% longer in the end", 100 * run->result.speed_growth);
}

static bool is_over(const struct run *run, double began) {
    if (run->options->minutes > 0) return seconds_now() - began >= run->options->minutes * 60;
    return run->result.cycles >= run->options->cycles;
}

struct soak_result soak_run(const struct soak_options *options) {
    static struct run run;
    struct worker staying[STAYING] = {0};
    const double began = seconds_now();
    run = (struct run){.options = options, .phase_seed = options->seed * 1000003};
    load_begin();
    pthread_barrier_init(&run.begin, NULL, STAYING + 1);
    pthread_barrier_init(&run.end, NULL, STAYING + 1);
    run.resident_before = system_resident_bytes();
    for (unsigned i = 0; i < STAYING; i++) {
        staying[i] = (struct worker){.run = &run, .index = i};
        if (pthread_create(&staying[i].thread, NULL, stay, &staying[i]) != 0) {
            fail(&run, "no thread could be started");
            return run.result;
        }
    }
    while (!is_over(&run, began) && run.result.failures < 20) {
        cycle(&run, staying);
        if (!options->says_progress) continue;
        printf("cycle %u: %.0f s, resident when empty %.1f MiB, %.2f ns a pair, %u failures\n", run.result.cycles,
               seconds_now() - began, run.resident.values[run.resident.count - 1] / (1 << 20),
               run.speed.values[run.speed.count - 1], run.result.failures);
        fflush(stdout);
    }
    run.is_over = true;
    pthread_barrier_wait(&run.begin);
    for (unsigned i = 0; i < STAYING; i++) pthread_join(staying[i].thread, NULL);
    judge_drift(&run);
    struct hak_stats stats;
    hak_stats_get(&stats);
    run.result.allocations =
        stats.tiny.allocations + stats.l2.allocations + stats.l25.allocations + stats.huge.allocations;
    return run.result;
}
