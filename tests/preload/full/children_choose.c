/* SPDX-License-Identifier: MIT */
/* fork | clone: four children, one after the other, take blocks that their parent has none of. Prints how many of the blocks at
 * the same turn are the same in two children, at most, of how many. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 4, OF_ONE = 1000, SIZES = 60, OF_EACH = 6, BLOCKS = OF_ONE + SIZES * OF_EACH };

static uintptr_t places[CHILDREN][BLOCKS];

static pid_t make(const char *how) {
    return strcmp(how, "fork") == 0 ? fork() : (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

/* Many of one size, for which the slabs are asked, and some of each of many, which lie at hand. */
static void take(void) {
    unsigned taken = 0;
    for (unsigned size = 1; size <= SIZES; size++) {
        for (unsigned i = 0; i < OF_EACH; i++) places[0][taken++] = (uintptr_t)malloc(16 * size);
    }
    while (taken < BLOCKS) places[0][taken++] = (uintptr_t)malloc(112);
}

static int read_all(int file, char *bytes, size_t size) {
    for (size_t at = 0; at < size;) {
        const ssize_t got = read(file, bytes + at, size - at);
        if (got <= 0) return 0;
        at += (size_t)got;
    }
    return 1;
}

int main(int count, char **arguments) {
    /* Some wait, and some are at hand, when the children are made. */
    static char *kept[700], *one[SIZES];
    for (unsigned i = 0; i < SIZES; i++) one[i] = malloc(16 * (i + 1));
    one[0][0] = 1;
    for (unsigned i = 0; i < 3000; i++) free(malloc(112));
    for (unsigned i = 0; i < 700; i++) kept[i] = malloc(112);
    for (unsigned i = 0; i < 700; i += 2) free(kept[i]);
    for (unsigned child = 0; child < CHILDREN; child++) {
        int ends[2];
        if (pipe(ends) != 0) return 1;
        const pid_t pid = make(arguments[count - 1]);
        if (pid == 0) {
            take();
            const ssize_t wrote = write(ends[1], places[0], sizeof places[0]);
            _exit(wrote == (ssize_t)sizeof places[0] ? 0 : 1);
        }
        close(ends[1]);
        if (!read_all(ends[0], (char *)places[child], sizeof places[child])) return 1;
        close(ends[0]);
        if (waitpid(pid, NULL, 0) != pid) return 1;
    }
    unsigned most = 0;
    for (unsigned a = 0; a < CHILDREN; a++) {
        for (unsigned b = 0; b < a; b++) {
            unsigned same = 0;
            for (unsigned i = 0; i < BLOCKS; i++) same += places[a][i] == places[b][i];
            most = same > most ? same : most;
        }
    }
    printf("%u of %d\n", most, BLOCKS);
    return 0;
}
