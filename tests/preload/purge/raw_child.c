/* SPDX-License-Identifier: MIT */
/*     raw_child KIND
 *
 * A process frees megabytes and makes a child by raw clone (0), fork (1) or _Fork (2), in which nothing else has happened. The
 * child does much, frees it, and goes on a little until most has gone back. Prints "gone back", or the KiB that stay. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#define BLOCKS 100000

pid_t _Fork(void);

static char *blocks[BLOCKS];

static long resident_kib(void) {
    long size = 0, resident = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm == NULL || fscanf(statm, "%ld %ld", &size, &resident) != 2) abort();
    fclose(statm);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void go_on(void) {
    for (int i = 0; i < 100; i++) blocks[i] = malloc(5000 + (size_t)i * 100);
    for (int i = 0; i < 100; i++) free(blocks[i]);
}

static void child(void) {
    for (int i = 0; i < BLOCKS; i++) blocks[i] = memset(malloc(1000), 1, 1000);
    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    long resident = 0;
    for (int turns = 0; turns < 600; turns++) {
        go_on();
        resident = resident_kib();
        if (resident < 24 * 1024) {
            puts("gone back");
            fflush(stdout);
            _exit(0);
        }
        usleep(50000);
    }
    printf("%ld KiB stay\n", resident);
    fflush(stdout);
    _exit(0);
}

int main(int argc, char **argv) {
    const int kind = argc > 1 ? atoi(argv[1]) : 0;
    void *larger[8];
    for (int i = 0; i < 8; i++) larger[i] = memset(malloc(1000000), 1, 1000000);
    for (int i = 0; i < 8; i++) free(larger[i]);
    const pid_t pid = kind == 0 ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : kind == 1 ? fork() : _Fork();
    if (pid == 0) child();
    int status;
    waitpid(pid, &status, 0);
    return status != 0;
}
