/* SPDX-License-Identifier: MIT */
/* 64 bytes are written into a block of no bytes. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    char *blocks[4096], *const low = malloc(0);
    for (unsigned i = 0; i < 4096; i++) blocks[i] = attack_malloc(16);
    attack_begin();
    memset(low, 'A', 64);
    attack_over();
    free(low);
    attack_end(attack_spoiled() != NULL, "another live block is changed");
}
