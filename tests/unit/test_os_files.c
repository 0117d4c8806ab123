/* SPDX-License-Identifier: MIT */
/* Files: which are written, and those in memory that other processes read. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hakmem/os/os.h"
#include "tests/harness/harness.h"

#define PATH_BYTES 64

static char folder[] = "/tmp/files.XXXXXX";

static const char *path_of(const char *name) {
    static char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void fill(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
}

static long size_of(const char *path) {
    struct stat found;
    return stat(path, &found) == 0 ? (long)found.st_size : -1;
}

HAK_TEST_ISOLATED(Files, NewOneIsTheUsersOnly, "") {
    HAK_ASSERT_TRUE(mkdtemp(folder) != NULL);
    int file = -1;
    umask(0);
    HAK_EXPECT_EQ(hak_os_file_create(path_of("new"), &file), 0);
    struct stat found;
    HAK_ASSERT_TRUE(fstat(file, &found) == 0);
    HAK_EXPECT_EQ(found.st_mode & 0777, 0600);
    HAK_EXPECT_EQ(fcntl(file, F_GETFD), FD_CLOEXEC);
    HAK_EXPECT_EQ(hak_os_file_close(file), 0);
    fill(path_of("new"), "old text");
    HAK_EXPECT_EQ(hak_os_file_create(path_of("new"), &file), 0);
    HAK_EXPECT_EQ(size_of(path_of("new")), 0);
    hak_os_file_close(file);
    unlink(path_of("new"));
    rmdir(folder);
}

HAK_TEST_ISOLATED(Files, OthersThanRegularOnesAreRefused, "") {
    HAK_ASSERT_TRUE(mkdtemp(folder) != NULL);
    int file = -1;
    fill(path_of("precious"), "text");
    HAK_ASSERT_TRUE(symlink("precious", path_of("link")) == 0);
    HAK_EXPECT_EQ(hak_os_file_create(path_of("link"), &file), ELOOP);
    HAK_EXPECT_EQ(size_of(path_of("precious")), 4);
    HAK_ASSERT_TRUE(mkfifo(path_of("fifo"), 0600) == 0);
    HAK_EXPECT_EQ(hak_os_file_create(path_of("fifo"), &file), ENXIO);
    const int reader = open(path_of("fifo"), O_RDONLY | O_NONBLOCK);
    HAK_EXPECT_EQ(hak_os_file_create(path_of("fifo"), &file), ENXIO);
    close(reader);
    HAK_EXPECT_EQ(hak_os_file_create(folder, &file), EISDIR);
    HAK_EXPECT_EQ(hak_os_file_create("/dev/full", &file), ENXIO);
    HAK_EXPECT_EQ(hak_os_file_create("/dev/null", &file), 0);
    hak_os_file_close(file);
    char name[PATH_BYTES];
    snprintf(name, sizeof name, "%s/name", folder);
    HAK_ASSERT_TRUE(link(path_of("precious"), name) == 0);
    HAK_EXPECT_EQ(hak_os_file_create(path_of("precious"), &file), EMLINK);
    HAK_EXPECT_EQ(size_of(path_of("precious")), 4);
    unlink(name);
    if (geteuid() == 0) {
        HAK_ASSERT_TRUE(chown(path_of("precious"), 65534, 65534) == 0);
        HAK_EXPECT_EQ(hak_os_file_create(path_of("precious"), &file), EPERM);
        HAK_EXPECT_EQ(size_of(path_of("precious")), 4);
    }
    unlink(path_of("precious"));
    unlink(path_of("link"));
    unlink(path_of("fifo"));
    rmdir(folder);
}

HAK_TEST_ISOLATED(Shared, DescriptorIsHighAndTheUsersOnly, "") {
    struct os_shared shared;
    HAK_ASSERT_TRUE(hak_os_shared_create("label", 8192, &shared) == 0);
    char link[PATH_BYTES], path[PATH_BYTES] = "";
    struct stat found;
    snprintf(link, sizeof link, "/proc/self/fd/%d", shared.descriptor);
    HAK_EXPECT_GE(shared.descriptor, 200);
    HAK_EXPECT_EQ(fcntl(shared.descriptor, F_GETFD), FD_CLOEXEC);
    HAK_EXPECT(readlink(link, path, sizeof path - 1) > 0);
    HAK_EXPECT_EQ(strcmp(path, "/memfd:label (deleted)"), 0);
    HAK_ASSERT_TRUE(fstat(shared.descriptor, &found) == 0);
    HAK_EXPECT_EQ(found.st_mode & 0777, 0600);
    HAK_EXPECT(ftruncate(shared.descriptor, 0) != 0); /* a store into the mapping would end the process */
    memcpy(shared.start, "text", 4);
    char text[4] = "";
    HAK_EXPECT_EQ(pread(shared.descriptor, text, 4, 0), 4);
    HAK_EXPECT_EQ(memcmp(text, "text", 4), 0);
    HAK_EXPECT(hak_os_shared_is_open(&shared));
    hak_os_shared_leave(&shared);
    HAK_EXPECT_EQ(fcntl(shared.descriptor, F_GETFD), -1);
}

HAK_TEST_ISOLATED(Shared, FileOfTheProgramInItsPlaceStays, "") {
    struct os_shared shared;
    HAK_ASSERT_TRUE(hak_os_shared_create("label", 4096, &shared) == 0);
    close(shared.descriptor);
    HAK_EXPECT(!hak_os_shared_is_open(&shared));
    HAK_ASSERT_TRUE(dup2(STDERR_FILENO, shared.descriptor) >= 0);
    HAK_EXPECT(!hak_os_shared_is_open(&shared));
    hak_os_shared_leave(&shared);
    HAK_EXPECT(fcntl(shared.descriptor, F_GETFD) >= 0);
}

HAK_TEST_ISOLATED(Shared, LimitOfFilesIsAnErrorAndNoSignal, "") {
    struct os_shared shared;
    const struct rlimit limit = {4096, RLIM_INFINITY};
    HAK_ASSERT_TRUE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    const int before = dup(STDERR_FILENO);
    close(before);
    HAK_EXPECT_EQ(hak_os_shared_create("label", 8192, &shared), EFBIG);
    HAK_EXPECT_EQ(fcntl(200, F_GETFD), -1);
    const int after = dup(STDERR_FILENO);
    HAK_EXPECT_EQ(after, before);
}
