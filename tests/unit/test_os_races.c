/* SPDX-License-Identifier: MIT */
/* Where mappings lie that are made while another is: in the middle of one call for the system another thread's work is done, so that
 * the order is always the same. And where they lie on kernels that this one is not. */
#define _GNU_SOURCE /* REG_EFL */
#include <errno.h>
#include <linux/mman.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "hakmem/os/os.h"
#include "tests/harness/harness.h"
#include "tests/unit/os_mapping.h"
#include "tests/unit/wrapped_syscall.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define REGIONS ((char *)0x200000000000)
#define BLOCKS ((char *)0x300000000000)
#define RECORDS ((char *)0x380000000000)

static void (*before_mmap)(void); /* runs once, before the kernel sees the next mmap; NULL: nothing does */
static void *others;              /* what it mapped */
static unsigned mmaps;            /* how many there were */
static bool is_refused;           /* no mmap succeeds */
static bool moves_are_refused;    /* no mremap that moves does */
static bool wants_room;           /* as Linux 6.7 to 6.12, see map_with_room */

/* Follows the wish for 2 MiB or more only where as much is free behind it. */
static long map_with_room(const long *argument) {
    const long behind[] = {argument[0] + argument[1],
                           2 * (long)MIB,
                           PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
                           -1,
                           0};
    const long anywhere[] = {0, argument[1], argument[2], argument[3], argument[4], argument[5]};
    const int saved_errno = errno;
    const bool is_free = real_syscall(SYS_mmap, behind) == behind[0];
    if (is_free) (void)real_syscall(SYS_munmap, behind);
    errno = saved_errno;
    return real_syscall(SYS_mmap, is_free ? argument : anywhere);
}

static long answered_syscall(long number, const long *argument) {
    void (*const work)(void) = before_mmap;
    if (number == SYS_mremap && moves_are_refused && (argument[3] & MREMAP_MAYMOVE) != 0) {
        errno = ENOMEM;
        return -1;
    }
    if (number != SYS_mmap) return real_syscall(number, argument);
    mmaps++;
    before_mmap = NULL;
    if (work != NULL) work();
    if (is_refused) {
        errno = ENOMEM;
        return -1;
    }
    return wants_room && argument[0] != 0 && argument[1] >= 2 * (long)MIB &&
                   (argument[3] & (MAP_FIXED | MAP_FIXED_NOREPLACE)) == 0
               ? map_with_room(argument)
               : real_syscall(number, argument);
}

static void map_others(void) { others = map(MIB, MIB); }

static void map_others_beside(void) {
    others = BLOCKS - 8 * MIB;
    HAK_EXPECT_EQ(hak_os_map_beside(others, 7 * MIB), 0);
}

static void unmap_lowest(void) { HAK_EXPECT_EQ(hak_os_unmap(BLOCKS - 10 * MIB, 8 * MIB), 0); }

static void map_other_record(void) { others = map(hak_os_page_size(), hak_os_page_size()); }

#if defined(HAK_TEST_TSAN) || defined(HAK_TEST_ASAN)
#define PLACE() HAK_SKIP("the sanitizer knows which addresses a program may use")
#else
#define PLACE() hak_os_place((uintptr_t)REGIONS, (uintptr_t)BLOCKS, (uintptr_t)RECORDS)
#endif

HAK_TEST_ISOLATED(OsRaces, TwoThatMapAtOnceBothMapInThePlace, "") {
    PLACE();
    HAK_EXPECT_PTR_EQ(map(MIB, MIB), BLOCKS - MIB);
    mmaps = 0;
    before_mmap = map_others;
    HAK_EXPECT_PTR_EQ(map(MIB, MIB), BLOCKS - 2 * MIB);
    HAK_EXPECT_PTR_EQ(others, BLOCKS - 3 * MIB);
    HAK_EXPECT_EQ(mmaps, 2);
    HAK_EXPECT_PTR_EQ(map(MIB, MIB), BLOCKS - 4 * MIB);
}

HAK_TEST_ISOLATED(OsRaces, TwoRecordsBothLieInThePlace, "") {
    const size_t page = hak_os_page_size();
    PLACE();
    before_mmap = map_other_record;
    HAK_EXPECT_PTR_EQ(map(page, page), RECORDS - page);
    HAK_EXPECT_PTR_EQ(others, RECORDS - 2 * page);
    HAK_EXPECT_PTR_EQ(map(page, page), RECORDS - 3 * page);
}

HAK_TEST_ISOLATED(OsRaces, TwoThatWishTheHoleBothMapInThePlace, "") {
    PLACE();
    for (size_t i = 1; i <= 3; i++) HAK_EXPECT_PTR_EQ(map(MIB, MIB), BLOCKS - i * MIB);
    HAK_EXPECT_EQ(hak_os_unmap(BLOCKS - 2 * MIB, MIB), 0);
    before_mmap = map_others;
    HAK_EXPECT_PTR_EQ(map(MIB, MIB), BLOCKS - 4 * MIB);
    HAK_EXPECT_PTR_EQ(others, BLOCKS - 2 * MIB);
    HAK_EXPECT_PTR_EQ(map(MIB, MIB), BLOCKS - 5 * MIB);
}

/* The place was claimed, and the block beside it takes it first. */
HAK_TEST_ISOLATED(OsRaces, WhatGrowsMeanwhileMovesNoOtherAway, "") {
    PLACE();
    HAK_EXPECT_PTR_EQ(map(MIB, MIB), BLOCKS - MIB);
    before_mmap = map_others_beside;
    HAK_EXPECT_PTR_EQ(map(MIB, MIB), BLOCKS - 9 * MIB);
    HAK_EXPECT_PTR_EQ(map(MIB, MIB), BLOCKS - 10 * MIB);
}

/* What lay below the block goes, and the block grows there before the chain's end is moved: the end is below both. */
HAK_TEST_ISOLATED(OsRaces, NextMappingIsBelowABlockThatGrewWhereTheLowestWas, "") {
    PLACE();
    HAK_EXPECT_PTR_EQ(map(2 * MIB, MIB), BLOCKS - 2 * MIB);
    HAK_EXPECT_PTR_EQ(map(8 * MIB, MIB), BLOCKS - 10 * MIB);
    before_mmap = unmap_lowest;
    HAK_EXPECT_EQ(hak_os_map_beside(BLOCKS - 10 * MIB, 8 * MIB), 0);
    HAK_EXPECT_PTR_EQ(map(MIB, MIB), BLOCKS - 11 * MIB);
}

/* The same of a hole that is long enough only when what lay below it has gone. */
HAK_TEST_ISOLATED(OsRaces, NextMappingIsBelowAHoleThatTheLowestBecamePartOf, "") {
    PLACE();
    for (size_t i = 1; i <= 2; i++) HAK_EXPECT_PTR_EQ(map(MIB, MIB), BLOCKS - i * MIB);
    HAK_EXPECT_PTR_EQ(map(8 * MIB, MIB), BLOCKS - 10 * MIB);
    HAK_EXPECT_EQ(hak_os_unmap(BLOCKS - 2 * MIB, MIB), 0);
    before_mmap = unmap_lowest;
    HAK_EXPECT_PTR_EQ(map(8 * MIB, MIB), BLOCKS - 9 * MIB);
    HAK_EXPECT_PTR_EQ(map(MIB, MIB), BLOCKS - 10 * MIB);
}

/* Not under sanitizers: they have no place. */
#if defined(__x86_64__) && !defined(HAK_TEST_TSAN) && !defined(HAK_TEST_ASAN)

#include "tests/unit/trap_flag.h"

static volatile bool is_copy;
static unsigned copies, strayed;

/* After one instruction another thread maps what fits just where the lowest mapping is: in a copy of the process, which goes on from
 * there. */
static void map_in_a_copy(int signal, siginfo_t *info, void *interrupted) {
    greg_t *registers = ((ucontext_t *)interrupted)->uc_mcontext.gregs;
    int status = 0;
    (void)signal;
    (void)info;
    const long pid = __real_syscall(SYS_fork, 0L, 0L, 0L, 0L, 0L, 0L);
    if (pid == 0) {
        is_copy = true;
        registers[REG_EFL] &= ~TRAP_FLAG;
        others = map(8 * MIB, MIB);
        return;
    }
    while (waitpid((pid_t)pid, &status, 0) < 0 && errno == EINTR) continue;
    copies++;
    strayed += status != 0;
}

/* The copy's last act. */
static void end_copy(void) {
    bool all_lie_there = true;
    for (unsigned i = 0; i < 8; i++) {
        const char *const start = (const char *)map(MIB, MIB);
        all_lie_there &= start < BLOCKS && start >= BLOCKS - 64 * MIB;
    }
    _exit(all_lie_there ? 0 : 1);
}

HAK_TEST_ISOLATED(OsRaces, WhateverInstructionOfAnUnmappingIsInterruptedAllMapInThePlace, "") {
    struct sigaction action = {.sa_sigaction = map_in_a_copy, .sa_flags = SA_SIGINFO};
    PLACE();
    HAK_ASSERT_TRUE(sigaction(SIGTRAP, &action, NULL) == 0);
    HAK_EXPECT_PTR_EQ(map(8 * MIB, MIB), BLOCKS - 8 * MIB);
    set_trap_flag(true);
    const int error = hak_os_unmap(BLOCKS - 8 * MIB, 8 * MIB);
    set_trap_flag(false);
    if (is_copy) end_copy();
    HAK_EXPECT_EQ(error, 0);
    HAK_EXPECT_GE(copies, 30);
    HAK_EXPECT_EQ(strayed, 0);
}

#endif

/* What another kernel would do: a mapping directly below another one gets its place all the same. */
HAK_TEST_ISOLATED(OsRaces, KernelThatWantsRoomBehindAWishIsToldThePlace, "") {
    void *region;
    PLACE();
    wants_room = true;
    for (size_t i = 1; i <= 4; i++) HAK_EXPECT_PTR_EQ(map(2 * MIB, MIB), BLOCKS - i * 2 * MIB);
    HAK_EXPECT_EQ(mmaps, 4);
    HAK_EXPECT_EQ(hak_os_unmap(BLOCKS - 6 * MIB, 2 * MIB), 0);
    HAK_EXPECT_PTR_EQ(map(2 * MIB, MIB), BLOCKS - 6 * MIB);
    for (size_t i = 1; i <= 3; i++) {
        HAK_EXPECT_EQ(hak_os_reserve_aligned(32 * MIB, 32 * MIB, &region), 0);
        HAK_EXPECT_PTR_EQ(region, REGIONS - i * 32 * MIB);
    }
    HAK_EXPECT_EQ(mmaps, 8);
}

HAK_TEST_ISOLATED(OsRaces, WhatTheKernelPlacedIsNoHole, "") {
    PLACE();
    void *wiped;
    HAK_EXPECT_PTR_EQ(map(MIB, MIB), BLOCKS - MIB);
    if (hak_os_map_wiped(32 * MIB, &wiped) != 0) HAK_SKIP("the kernel wipes nothing in a child");
    HAK_EXPECT_EQ(hak_os_unmap(wiped, 32 * MIB), 0);
    HAK_EXPECT_PTR_EQ(map(MIB, MIB), BLOCKS - 2 * MIB);
}

/* Where the place is taken the chain goes on elsewhere, and its holes there are filled. */
HAK_TEST_ISOLATED(OsRaces, WhereThePlaceIsTakenTheKernelChooses, "") {
    PLACE();
    void *const taken = BLOCKS - 64 * MIB;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
    HAK_ASSERT_TRUE(mmap(taken, 64 * MIB, PROT_NONE, flags, -1, 0) == taken);
    unsigned char *const first = map(MIB, MIB);
    HAK_EXPECT((char *)first > BLOCKS || (char *)first < BLOCKS - 64 * MIB);
    unsigned char *const second = map(MIB, MIB);
    HAK_EXPECT_EQ(hak_os_unmap(first, MIB), 0);
    HAK_EXPECT_PTR_EQ(map(MIB, MIB), first);
    HAK_EXPECT(second != first);
}

/* A move that the system refuses takes no addresses either. */
HAK_TEST_ISOLATED(OsRaces, RefusedMoveLeavesItsPlace, "") {
    void *moved = NULL;
    PLACE();
    HAK_EXPECT_PTR_EQ(map(MIB, MIB), BLOCKS - MIB);
    unsigned char *const block = map(MIB, MIB);
    moves_are_refused = true;
    HAK_EXPECT_EQ(hak_os_remap(block, MIB, 8 * MIB, MIB, &moved), ENOMEM);
    HAK_EXPECT_PTR_EQ(map(MIB, MIB), BLOCKS - 3 * MIB);
}

/* What the system refuses takes no addresses. */
HAK_TEST_ISOLATED(OsRaces, RefusedMappingClaimsNothing, "") {
    PLACE();
    void *start;
    is_refused = true;
    HAK_EXPECT_EQ(hak_os_map(MIB, MIB, &start), ENOMEM);
    is_refused = false;
    HAK_EXPECT_PTR_EQ(map(MIB, MIB), BLOCKS - MIB);
    HAK_EXPECT_EQ(hak_os_map_beside(BLOCKS - 2 * MIB, 2 * MIB), EEXIST);
    HAK_EXPECT_PTR_EQ(map(MIB, MIB), BLOCKS - 2 * MIB);
}
