/* SPDX-License-Identifier: MIT */
/*     forbidden CALL..
 *
 * A program of one thread forbids itself system calls, by their numbers, as sandboxes do, and then allocates, frees, and sees
 * time go by. "alive", or it is killed; "not zero" where calloc did not clear what it gave out. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void forbid(unsigned call) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        puts("no filters here");
        exit(0);
    }
}

/* A block of calloc in the place of a huge block that was just freed, of which the first `bytes` were written. */
static void clear(size_t bytes) {
    const size_t size = 3000000;
    char *huge = malloc(5000000);
    huge = realloc(huge, 4 * size);
    memset(huge + 3 * size, 1, bytes);
    free(huge);
    char *cleared = calloc(1, size);
    for (size_t i = 0; i < size; i++) {
        if (cleared[i] != 0) {
            puts("not zero");
            exit(0);
        }
    }
    free(cleared);
}

int main(int argc, char **argv) {
    static void *blocks[3000];
    /* Of the first region; what follows takes two more. */
    free(malloc(100));
    for (int i = 1; i < argc; i++) forbid((unsigned)strtoul(argv[i], NULL, 10));
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3000; i++) blocks[i] = memset(malloc(20000 + 4 * (size_t)i), 1, 20000);
        for (int i = 0; i < 3000; i++) {
            if (i % 50 != 0) free(blocks[i]);
        }
        void *huge = malloc(3000000);
        huge = realloc(huge, 5000000);
        free(huge);
        clear(0);
        clear(1000000);
        clear(3000000);
        usleep(30000);
        for (int i = 0; i < 3000; i += 50) free(blocks[i]);
    }
    puts("alive");
    return 0;
}
