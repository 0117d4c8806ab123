/* SPDX-License-Identifier: MIT */
/* The first process of the machine that boot.py starts: runs each program of /tests, one after the other, says how each ended,
 * and turns the machine off.
 *
 * Linked statically; the initramfs holds nothing else. What it prints about a program begins with MARK, which boot.py reads. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK "hakmem-arm64: "
#define TESTS "/tests"

static void say_machine(void) {
    struct utsname system;
    void *const mapped = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uname(&system);
    printf(MARK "machine %s %s, pages of %ld, mmap gives %p, the stack %p\n", system.machine, system.release,
           sysconf(_SC_PAGESIZE), mapped, (void *)getauxval(AT_RANDOM));
    fflush(stdout);
}

static int run(const char *name) {
    char path[512];
    int status = 0;
    snprintf(path, sizeof path, TESTS "/%s", name);
    printf(MARK "begin %s\n", name);
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        execl(path, path, (char *)NULL);
        printf(MARK "cannot start %s: %s\n", name, strerror(errno));
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) return 1;
    printf(MARK "end %s %s %d\n", name, WIFEXITED(status) ? "status" : "signal",
           WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    fflush(stdout);
    return status != 0;
}

static int is_name(const struct dirent *entry) { return entry->d_name[0] != '.'; }

int main(void) {
    struct dirent **names = NULL;
    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mkdir("/dev", 0755);
    mkdir("/tmp", 01777);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("sysfs", "/sys", "sysfs", 0, NULL);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    mkdir("/dev/shm", 01777);
    setenv("TMPDIR", "/tmp", 1);
    say_machine();
    int failed = 0;
    const int count = scandir(TESTS, &names, is_name, alphasort);
    for (int i = 0; i < count; i++) failed += run(names[i]->d_name);
    printf(MARK "done %d of %d failed\n", failed, count);
    fflush(stdout);
    sync();
    reboot(RB_POWER_OFF);
    return 0;
}
