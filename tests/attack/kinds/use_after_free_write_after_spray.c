/* SPDX-License-Identifier: MIT */
/* Freed blocks are written after many further mallocs and frees and 8 MiB of live blocks: one of them has the memory of
 * one of these. */
#include "tests/attack/attack.h"

enum { FREED = 16, OTHERS = 500 };

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    const unsigned freed = size > 100000 ? 1 : FREED;
    char *p[FREED], *others[OTHERS];
    for (unsigned i = 0; i < freed; i++) p[i] = malloc(size);
    for (unsigned i = 0; i < freed; i++) free(p[i]);
    for (unsigned round = 0; round < 20 && size <= 8192; round++) {
        for (unsigned i = 0; i < OTHERS; i++) others[i] = malloc(size);
        for (unsigned i = 0; i < OTHERS; i++) free(others[i]);
    }
    attack_spray(size, ATTACK_MANY);
    attack_begin();
    for (unsigned i = 0; i < freed; i++) memset(p[i], 'A', 64);
    attack_over();
    attack_end(attack_spoiled() != NULL, "another live block is changed");
}
