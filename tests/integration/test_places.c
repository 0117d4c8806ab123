/* SPDX-License-Identifier: MIT */
/* Where blocks and records lie in many runs of one program: every bit that can vary does, and so does every distance.
 *
 * Each run prints its addresses before main. A bit of one that is as likely 0 as 1 has one value in all 128 runs with
 * a chance of 2^-127; the unlikeliest is one in four. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hakmem/flags/flags.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/record.h"
#include "hakmem/os/os.h"
#include "tests/harness/harness.h"

enum { SMALL, LARGE, HUGE, RECORD, LIBRARY, STACK, PLACES };
enum { RUNS = 128 };

#define NAME "HAKMEM_TEST_PLACES_FD"

__attribute__((constructor)) static void tell_places(void) {
    const char *descriptor = getenv(NAME);
    if (descriptor == NULL) return;
    uint64_t places[PLACES] = {0};
    places[SMALL] = (uintptr_t)hak_alloc(64);
    places[LARGE] = (uintptr_t)hak_alloc(200000);
    places[HUGE] = (uintptr_t)hak_alloc(3000000);
    places[RECORD] = (uintptr_t)hak_self;
    places[LIBRARY] = (uintptr_t)&getenv;
    places[STACK] = (uintptr_t)places;
    _exit(write(atoi(descriptor), places, sizeof places) == sizeof places ? 0 : 1);
}

static void run(unsigned long persona, uint64_t places[PLACES]) {
    int ends[2];
    int status = 1;
    HAK_ASSERT_TRUE(pipe(ends) == 0);
    const pid_t child = fork();
    if (child == 0) {
        char variable[64];
        char *arguments[] = {(char *)"places", NULL}, *environment[] = {variable, NULL};
        (void)snprintf(variable, sizeof variable, NAME "=%d", ends[1]);
        personality(persona);
        execve("/proc/self/exe", arguments, environment);
        _exit(1);
    }
    HAK_EXPECT(waitpid(child, &status, 0) == child && status == 0);
    HAK_EXPECT(read(ends[0], places, PLACES * sizeof *places) == PLACES * sizeof *places);
    close(ends[0]);
    close(ends[1]);
}

static uint64_t seen[RUNS][PLACES];

/* The bits of place `a`, or of its distance to place `b`, that are not the same in all runs. */
static unsigned varying_bits(unsigned a, int b) {
    uint64_t bits = 0;
    for (unsigned i = 0; i < RUNS; i++) {
        bits |= b < 0 ? seen[i][a] ^ seen[0][a] : (seen[i][a] - seen[i][b]) ^ (seen[0][a] - seen[0][b]);
    }
    return (unsigned)__builtin_popcountll(bits & (((uint64_t)1 << 47) - 1));
}

HAK_TEST(Places, EveryRunHasOthers) {
#if defined(HAK_TEST_TSAN) || defined(HAK_TEST_ASAN)
    HAK_SKIP("the sanitizer knows which addresses a program may use");
#endif
    if (!hak_os_places_vary()) HAK_SKIP("the system places nothing at random");
    for (unsigned i = 0; i < RUNS; i++) run(PER_LINUX, seen[i]);
    for (unsigned place = SMALL; place <= RECORD; place++) HAK_EXPECT_GE(varying_bits(place, -1), 30);
    uint64_t in_region = 0;
    for (unsigned i = 0; i < RUNS; i++) in_region |= (seen[i][SMALL] ^ seen[0][SMALL]) & (HAK_REGION_BYTES - 1);
    HAK_EXPECT_GE(__builtin_popcountll(in_region), 9);
    for (int other = HUGE; other < PLACES; other++) {
        HAK_EXPECT_GE(varying_bits(SMALL, other), 30);
        if (other != HUGE) HAK_EXPECT_GE(varying_bits(HUGE, other), 30);
        if (other > RECORD) HAK_EXPECT_GE(varying_bits(RECORD, other), 30);
    }
}

HAK_TEST(Places, AllRunsAreAlikeWithoutRandomAddresses) {
    uint64_t first[PLACES] = {0}, next[PLACES] = {0};
    run(ADDR_NO_RANDOMIZE, first);
    for (unsigned i = 0; i < 8; i++) {
        run(ADDR_NO_RANDOMIZE, next);
        /* Guard full chooses slab and slot by bytes of the kernel, which are random in any case. */
        for (unsigned place = HAK_GUARD_FULL ? HUGE : SMALL; place < PLACES; place++) {
            HAK_EXPECT_EQ(next[place], first[place]);
        }
    }
}
