/* SPDX-License-Identifier: MIT */
/* What lies behind a block is read, and written back with the overflow that goes on into the next block. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const struct attack_pair pair = attack_neighbours(attack_size(argv), false);
    attack_begin();
    for (char *at = pair.low + pair.size; at < pair.high; at++) *(volatile char *)at = *at;
    memset(pair.high, 'A', 32);
    attack_over();
    attack_free(pair.low);
    attack_end(attack_spoiled() != NULL, "another live block is changed");
}
