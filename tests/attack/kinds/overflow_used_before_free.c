/* SPDX-License-Identifier: MIT */
/* 256 bytes are written behind a block, and what lies there is used before anything is freed. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const struct attack_pair pair = attack_neighbours(attack_size(argv), false);
    attack_begin();
    memset(pair.low + pair.size, 'A', 256);
    attack_over();
    attack_end(attack_spoiled() != NULL, "another live block is changed");
}
