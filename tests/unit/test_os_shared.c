/* SPDX-License-Identifier: MIT */
/* Files in memory that other processes read: where a signal comes while one is made, and where another file of the same number is in
 * its place.
 *
 * syscall(2), by which hakmem/os/linux asks the kernel, is wrapped in this program: fallocate is interrupted on demand, and a file
 * lies on the device that the test says. */
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hakmem/os/os.h"
#include "tests/harness/harness.h"
#include "tests/unit/wrapped_syscall.h"

/* As much as the profile's: some 800 pages. */
#define BYTES ((size_t)3 << 20)

/* A piece of this size is made while no timer's signal comes. */
#define PIECE_BYTES_MOST ((size_t)64 << 10)

/* Where descriptors of hakmem's begin. */
#define FIRST_DESCRIPTOR 200

static unsigned interruptions_left; /* calls of fallocate from now that a signal interrupts */
static unsigned allocations;        /* calls of fallocate */
static size_t longest;              /* bytes that one of them asked for */

static bool is_elsewhere; /* every file is on another device */

/* Inodes of two file systems may have one number. */
static long answer_identity(long number, const long *argument) {
    const long result = real_syscall(number, argument);
    if (result == 0 && is_elsewhere && number == SYS_fstat) ((struct stat *)argument[1])->st_dev++;
    if (result == 0 && is_elsewhere && number == SYS_statx) ((struct statx *)argument[4])->stx_dev_minor++;
    return result;
}

static long answered_syscall(long number, const long *argument) {
    if (number == SYS_statx || number == SYS_fstat) return answer_identity(number, argument);
    if (number == SYS_fallocate) {
        allocations++;
        if ((size_t)argument[3] > longest) longest = (size_t)argument[3];
        if (interruptions_left > 0) {
            interruptions_left--;
            errno = EINTR;
            return -1;
        }
    }
    return real_syscall(number, argument);
}

static void expect_whole_file(const struct os_shared *shared) {
    struct stat found;
    HAK_ASSERT_TRUE(fstat(shared->descriptor, &found) == 0);
    HAK_EXPECT_EQ(found.st_size, BYTES);
    HAK_EXPECT_GE((size_t)found.st_blocks * 512, BYTES); /* with its memory */
    memset(shared->start, 1, BYTES);
}

/* The kernel looks for signals before each page. */
HAK_TEST_ISOLATED(OsShared, IsAskedForInPiecesBetweenWhichSignalsCome, "") {
    struct os_shared shared;
    HAK_ASSERT_TRUE(hak_os_shared_create("label", BYTES, &shared) == 0);
    HAK_EXPECT_GT(allocations, 0);
    HAK_EXPECT_LE(longest, PIECE_BYTES_MOST);
    expect_whole_file(&shared);
    hak_os_shared_leave(&shared);
}

HAK_TEST_ISOLATED(OsShared, ASignalMeanwhileDoesNoHarm, "") {
    struct os_shared shared;
    interruptions_left = 2;
    errno = EDOM;
    HAK_ASSERT_TRUE(hak_os_shared_create("label", BYTES, &shared) == 0);
    HAK_EXPECT_EQ(errno, EDOM);
    HAK_EXPECT_EQ(interruptions_left, 0);
    expect_whole_file(&shared);
    HAK_EXPECT(hak_os_shared_is_open(&shared));
    hak_os_shared_leave(&shared);
}

/* As where a filter answers so. */
HAK_TEST_ISOLATED(OsShared, EndsWhereItIsAlwaysInterrupted, "") {
    struct os_shared shared;
    const unsigned always = 1000000000;
    interruptions_left = always;
    errno = EDOM;
    HAK_EXPECT_EQ(hak_os_shared_create("label", BYTES, &shared), EINTR);
    HAK_EXPECT_EQ(errno, EDOM);
    HAK_EXPECT_LT(always - interruptions_left, 1000000);
    HAK_EXPECT_EQ(fcntl(FIRST_DESCRIPTOR, F_GETFD), -1); /* nothing stays */
}

HAK_TEST_ISOLATED(OsShared, AFileOfAnotherDeviceInItsPlaceStays, "") {
    struct os_shared shared;
    HAK_ASSERT_TRUE(hak_os_shared_create("label", BYTES, &shared) == 0);
    HAK_EXPECT(hak_os_shared_is_open(&shared));
    is_elsewhere = true;
    HAK_EXPECT(!hak_os_shared_is_open(&shared));
    hak_os_shared_leave(&shared);
    HAK_EXPECT(fcntl(shared.descriptor, F_GETFD) >= 0);
    is_elsewhere = false;
    HAK_EXPECT(hak_os_shared_is_open(&shared));
}
