/* SPDX-License-Identifier: MIT */
/* A write anywhere replaces the address that malloc will return next, wherever the allocator keeps it; a child that
 * called malloc told it. Then malloc returns what the attacker chose. */
#include <sys/wait.h>

#include "tests/attack/attack.h"

static uintptr_t next;

static void forge(uint64_t *word) {
    if (*word == next) *word = (uintptr_t)attack_target;
}

static uintptr_t next_of(size_t size) {
    int ends[2];
    uintptr_t address = 0;
    attack_require(pipe(ends) == 0);
    const pid_t child = fork();
    if (child == 0) {
        address = (uintptr_t)malloc(size);
        _exit(write(ends[1], &address, sizeof address) == sizeof address ? 0 : 4);
    }
    attack_require(read(ends[0], &address, sizeof address) == sizeof address);
    waitpid(child, NULL, 0);
    return address;
}

int main(int argc, char **argv) {
    (void)argc;
    static void *held[64];
    const size_t size = attack_size(argv);
    for (unsigned i = 0; i < 64; i++) held[i] = malloc(size);
    for (unsigned i = 0; i < 64; i += 2) {
        free(held[i]);
        held[i] = NULL;
    }
    next = next_of(size);
    attack_begin();
    attack_for_each_word((void *)next, forge);
    attack_for_each_far_word((void *)next, forge);
    attack_over();
    const uintptr_t p = (uintptr_t)malloc(size);
    attack_end(p == (uintptr_t)attack_target, "malloc returns an address that the attacker chose");
}
