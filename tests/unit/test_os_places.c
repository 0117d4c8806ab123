/* SPDX-License-Identifier: MIT */
/* Mappings that a child finds cleared, and places that a mapping left; the limit of mappings; the bytes of the start. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hakmem/os/os.h"
#include "tests/harness/harness.h"
#include "tests/unit/os_mapping.h"

HAK_TEST(OsMapWiped, ReadsZeroInAChildAndStaysInTheParent) {
    void *start = NULL;
    int status = 0;
    HAK_EXPECT_EQ(hak_os_map_wiped(64 * KIB, &start), 0);
    unsigned char *bytes = start;
    memset(bytes, 0x5a, 64 * KIB);
    /* As no handler of fork sees it. */
    const pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(bytes[0] == 0 && bytes[64 * KIB - 1] == 0 ? 0 : 1);
    HAK_EXPECT(waitpid(child, &status, 0) == child);
    HAK_EXPECT_EQ(status, 0);
    HAK_EXPECT(bytes[0] == 0x5a && bytes[64 * KIB - 1] == 0x5a);
    HAK_EXPECT_EQ(hak_os_unmap(start, 64 * KIB), 0);
}

HAK_TEST(OsMapLeft, TakesAPlaceThatIsFreeAndNoOther) {
    unsigned char *bytes = map(MIB, MIB);
    memset(bytes, 1, MIB);
    const struct os_counters before = counters();
    errno = 7;
    HAK_EXPECT_EQ(hak_os_map_left(bytes, MIB), EEXIST);
    HAK_EXPECT_EQ(hak_os_map_left(bytes - MIB / 2, MIB), EEXIST);
    HAK_EXPECT_EQ(errno, 7);
    HAK_EXPECT_EQ(counters().mapped_bytes, before.mapped_bytes);
    HAK_EXPECT(bytes[0] == 1 && bytes[MIB - 1] == 1);
    HAK_EXPECT_EQ(hak_os_unmap(bytes, MIB), 0);
    HAK_EXPECT_EQ(hak_os_map_left(bytes, MIB), 0);
    HAK_EXPECT_EQ(counters().mapped_bytes, before.mapped_bytes);
    HAK_EXPECT_DEATH(*(volatile unsigned char *)bytes, "");
    /* As any other mapping from then on. */
    HAK_EXPECT_EQ(hak_os_make_writable(bytes, MIB), 0);
    HAK_EXPECT_EQ(bytes[MIB - 1], 0);
    HAK_EXPECT_EQ(hak_os_unmap(bytes, MIB), 0);
}

HAK_TEST(OsMappingsMost, IsWhatTheSystemSays) {
    char text[32] = {0};
    FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
    if (file == NULL || fgets(text, sizeof text, file) == NULL) HAK_SKIP("the system does not say");
    fclose(file);
    HAK_EXPECT_EQ(hak_os_mappings_most(), strtoul(text, NULL, 10));
}

HAK_TEST(OsProcessRandom, IsTheSameInEveryCall) {
    static const uint32_t none[4];
    uint32_t first[4], second[4];
    hak_os_process_random(first);
    hak_os_process_random(second);
    HAK_EXPECT(memcmp(first, second, sizeof first) == 0);
    HAK_EXPECT(memcmp(first, none, sizeof first) != 0);
}
