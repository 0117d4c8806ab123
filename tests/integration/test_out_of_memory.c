/* SPDX-License-Identifier: MIT */
/* The system refuses memory at every point in turn: each operation then gives NULL with ENOMEM or works, no
 * live block suffers, every structure agrees with the others, and all works again afterwards. The same with a profile. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hakmem/hakmem.h"
#include "hakmem/os/fake/fake.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"
#include "tests/harness/structures.h"
#include "tests/harness/threads.h"

#define LIVE_MAX 4096

static struct {
    void *blocks[LIVE_MAX];
    size_t sizes[LIVE_MAX];
    unsigned count;
    unsigned refused; /* operations that gave NULL */
    bool is_sampled;  /* with a profile, which is started while the system refuses */
} script;

/* p and errno as an allocation left them. */
static void keep(void *p, size_t size) {
    if (p == NULL) {
        HAK_EXPECT_EQ(errno, ENOMEM);
        script.refused++;
        return;
    }
    HAK_ASSERT_TRUE(script.count < LIVE_MAX);
    pattern_mark_pages(p, size, script.count);
    script.blocks[script.count] = p;
    script.sizes[script.count++] = size;
}

/* A failed realloc leaves the block as it was. */
static void resize(unsigned index, size_t size) {
    size_t old_size = script.sizes[index];
    errno = 0;
    void *p = hak_realloc(script.blocks[index], size);
    if (p == NULL) {
        HAK_EXPECT_EQ(errno, ENOMEM);
        script.refused++;
        HAK_EXPECT(pattern_pages_hold(script.blocks[index], old_size, index));
        return;
    }
    HAK_EXPECT(pattern_pages_hold(p, old_size < size ? old_size : size, index));
    pattern_mark_pages(p, size, index);
    script.blocks[index] = p;
    script.sizes[index] = size;
}

/* Few pages in all: the script runs hundreds of times. */
static const struct load {
    size_t size;
    unsigned count;
} loads[] = {{0, 4}, {24, 150}, {1000, 70}, {1025, 10}, {5000, 10}, {32768, 2}, {40000, 2}, {300000, 1}, {1100000, 1}};
#define LOADS (sizeof loads / sizeof *loads)

static void allocate_in_every_pool(void) {
    for (unsigned k = 0; k < LOADS; k++) {
        for (unsigned i = 0; i < loads[k].count; i++) {
            errno = 0;
            keep(hak_alloc(loads[k].size), loads[k].size);
        }
    }
}

static void use_every_call(void) {
    for (unsigned k = 0; k < LOADS; k++) {
        size_t size = loads[k].size;
        errno = 0;
        void *zeroed = hak_calloc(1, size);
        HAK_EXPECT(zeroed == NULL || pattern_all_zero(zeroed, size < 65536 ? size : 65536));
        keep(zeroed, size);
        errno = 0;
        keep(hak_alloc_at(size, &script), size);
        errno = 0;
        keep(hak_aligned_alloc((size_t)4096 << k, size), size);
    }
    unsigned count = script.count;
    for (unsigned i = 0; i < count; i += 17) resize(i, loads[1 + i % (LOADS - 1)].size);
}

static void use_in_thread(void *argument, unsigned index) {
    (void)argument;
    (void)index;
    allocate_in_every_pool();
}

static void expect_content(void) {
    for (unsigned i = 0; i < script.count; i++) HAK_EXPECT(pattern_pages_hold(script.blocks[i], script.sizes[i], i));
}

static unsigned live_of_script(void) {
    unsigned live = 0;
    for (unsigned i = 0; i < script.count; i++) live += script.blocks[i] != NULL;
    return live;
}

static bool pass_by(const struct hak_walk_block *block, void *argument) {
    (void)block;
    (void)argument;
    return true;
}

/* A walk has memory of its own, or none; what a thread has in its magazines goes back either way. */
static void walk_and_flush(void) {
    struct hak_walk_result walked = {0};
    const int error = hak_walk(pass_by, NULL, &walked);
    HAK_EXPECT(error == ENOMEM || (error == 0 && walked.blocks == live_of_script()));
    hak_thread_idle();
    hak_thread_flush();
}

static void start_profile(bool may_be_refused) {
    const int error = hak_profile_start(1000);
    HAK_EXPECT(error == 0 || (error == ENOMEM && may_be_refused));
}

/* Everything that may ask the system for something. */
static void run_script(void) {
    script.count = script.refused = 0;
    if (script.is_sampled) start_profile(true);
    allocate_in_every_pool();
    use_every_call();
    threads_run(1, use_in_thread, NULL);
    for (unsigned i = 0; i < script.count; i += 2) {
        hak_free(script.blocks[i]);
        script.sizes[i] = 0;
        errno = 0;
        script.blocks[i] = hak_alloc(1);
        if (script.blocks[i] == NULL) script.refused++;
    }
    hak_trim();
    allocate_in_every_pool();
    walk_and_flush();
    expect_content();
}

static void add_live(const struct hak_profile_entry *entry, void *argument) { *(uint64_t *)argument += entry->live; }

static uint64_t live_samples(void) {
    uint64_t live = 0;
    hak_profile_read(add_live, &live);
    return live;
}

static void end_script(void) {
    expect_content();
    HAK_EXPECT_EQ(census_live_blocks(), live_of_script());
    STRUCTURES_EXPECT_SOUND();
    for (unsigned i = 0; i < script.count; i++) hak_free(script.blocks[i]);
    HAK_EXPECT_EQ(census_live_blocks(), 0);
    HAK_EXPECT_EQ(live_samples(), 0);
    STRUCTURES_EXPECT_SOUND();
}

/* In a process in which the allocator does not exist yet, so that its start is refused memory too. */
static void expect_recovery(void (*plan)(uint64_t n), uint64_t n) {
    os_fake_reset();
    plan(n);
    run_script();
    os_fake_reset();
    end_script();
    script.count = script.refused = 0;
    if (script.is_sampled) start_profile(false);
    allocate_in_every_pool();
    HAK_EXPECT_EQ(script.refused, 0);
    HAK_EXPECT_EQ(live_samples() != 0, script.is_sampled);
    end_script();
}

/* Calls that a run makes in which nothing fails; 0 where that run went wrong. Read from a child. */
static uint64_t calls_of_script(void) {
    uint64_t *calls = (uint64_t *)mmap(NULL, sizeof *calls, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (calls == MAP_FAILED) return 0;
    HAK_EXPECT_EXIT_OK({
        os_fake_reset();
        run_script();
        *calls = os_fake_calls();
        HAK_EXPECT_EQ(script.refused, 0);
        end_script();
    });
    uint64_t result = *calls;
    munmap(calls, sizeof *calls);
    return result;
}

/* The purge of decayed memory may come at another moment than in the counted run. */
#define CALLS_MORE 3

/* Asked in a child: the next ones are to find a process without a profile. */
static bool has_profile(void) {
    struct process_result result;
    struct process process;
    const pid_t pid = process_fork(&process);
    if (pid == 0) _exit(hak_profile_start(0) == ENOTSUP ? 1 : 0);
    process_finish(&process, &result);
    return result.exited && result.code == 0;
}

static void expect_recovery_from_each(void (*plan)(uint64_t n), bool is_sampled) {
    script.is_sampled = is_sampled;
    uint64_t calls = calls_of_script();
    HAK_ASSERT_TRUE(calls > 5);
    uint64_t step = calls / HAK_TEST_SCALE(calls); /* every call, but under a sanitizer */
    for (uint64_t n = 1; n <= calls + CALLS_MORE; n += step) {
        unsigned before = harness_failure_count();
        HAK_EXPECT_EXIT_OK(expect_recovery(plan, n));
        if (harness_failure_count() == before) continue;
        harness_fail(__FILE__, __LINE__, "... where call %llu of %llu was refused", (unsigned long long)n,
                     (unsigned long long)calls);
        return;
    }
    printf("refused at each of %llu system calls\n", (unsigned long long)calls);
}

HAK_TEST(OutOfMemory, OneRefusedCallAtEveryPoint) { expect_recovery_from_each(os_fake_fail_at, false); }

HAK_TEST(OutOfMemory, NothingButRefusalsFromEveryPointOn) { expect_recovery_from_each(os_fake_fail_from, false); }

/* A sample that there is no memory for is lost, and its block is given out all the same. */
HAK_TEST(OutOfMemory, OneRefusedCallAtEveryPointWhileSampled) {
    if (!has_profile()) HAK_SKIP("this build has no profile");
    expect_recovery_from_each(os_fake_fail_at, true);
}

HAK_TEST(OutOfMemory, NothingButRefusalsFromEveryPointOnWhileSampled) {
    if (!has_profile()) HAK_SKIP("this build has no profile");
    expect_recovery_from_each(os_fake_fail_from, true);
}

static void expect_refusal_of(unsigned kind) {
    os_fake_fail_only(kind);
    os_fake_fail_from(1);
    run_script();
    os_fake_reset();
    end_script();
}

HAK_TEST(OutOfMemory, EachKindOfCallAlwaysRefused) {
    for (unsigned sampled = 0; sampled <= (has_profile() ? 1u : 0u); sampled++) {
        script.is_sampled = sampled == 1;
        for (unsigned kind = 1; kind < OS_FAKE_ALL; kind *= 2) HAK_EXPECT_EXIT_OK(expect_refusal_of(kind));
    }
}

/* Without threads and purges of the system's, memory that is free is used before any is asked for. */
static void expect_free_memory_to_serve(void) {
    for (unsigned round = 0; round < 2; round++) {
        if (round == 1) os_fake_fail_from(1);
        script.count = script.refused = 0;
        allocate_in_every_pool();
        HAK_EXPECT(round == 0 || script.refused <= 2); /* huge blocks may have gone back */
        for (unsigned i = 0; i < script.count; i++) hak_free(script.blocks[i]);
    }
    os_fake_reset();
}

HAK_TEST(OutOfMemory, FreeMemoryServesWithoutTheSystem) { HAK_EXPECT_EXIT_OK(expect_free_memory_to_serve()); }
