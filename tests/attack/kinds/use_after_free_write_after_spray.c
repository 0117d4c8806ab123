/* SPDX-License-Identifier: MIT */
/* A freed block is written after many further mallocs and frees and 8 MiB of live blocks: one of them has its memory.
 * */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    char *const p = malloc(size);
    free(p);
    char *others[500];
    for (unsigned round = 0; round < 20 && size <= 8192; round++) {
        for (unsigned i = 0; i < 500; i++) others[i] = malloc(size);
        for (unsigned i = 0; i < 500; i++) free(others[i]);
    }
    attack_spray(size, ATTACK_MANY);
    attack_begin();
    memset(p, 'A', 64);
    attack_over();
    attack_end(attack_spoiled() != NULL, "another live block is changed");
}
