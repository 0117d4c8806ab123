/* SPDX-License-Identifier: MIT */
/* What lies behind one block is written behind another one, with the overflow that goes on into the next block. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const struct attack_pair pair = attack_neighbours(attack_size(argv), false);
    const struct attack_pair other = attack_neighbours(attack_size(argv), true);
    attack_begin();
    for (size_t i = pair.size; pair.low + i < pair.high; i++) pair.low[i] = other.low[i];
    memset(pair.high, 'A', 32);
    attack_over();
    attack_free(pair.low);
    attack_end(attack_spoiled() != NULL, "another live block is changed");
}
