/* SPDX-License-Identifier: MIT */
/* Children of one process allocate: all get the same addresses, so one that is attacked again and again tells about the
 * next. */
#include <sys/wait.h>

#include "tests/attack/attack.h"

static uint64_t places(size_t size) {
    int ends[2];
    attack_require(pipe(ends) == 0);
    const pid_t child = fork();
    if (child == 0) {
        uint64_t sum = 0;
        for (unsigned i = 0; i < (size > 100000 ? 20 : 3000); i++) sum = sum * 31 + (uintptr_t)malloc(size);
        _exit(write(ends[1], &sum, sizeof sum) == sizeof sum ? 0 : 4);
    }
    uint64_t sum = 0;
    attack_require(read(ends[0], &sum, sizeof sum) == sizeof sum);
    close(ends[0]);
    close(ends[1]);
    waitpid(child, NULL, 0);
    return sum;
}

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    attack_malloc(size);
    attack_begin();
    const uint64_t first = places(size), second = places(size);
    attack_over();
    attack_end(first == second, "the addresses of a sibling");
}
