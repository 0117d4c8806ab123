/* SPDX-License-Identifier: MIT */
/* BYTES are written behind a block, which is then freed: what lies there is changed, or forged. The first word is what
 * glibc would take for the size of a chunk of twice the length. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const struct attack_pair pair = attack_neighbours(attack_size(argv), false);
    const uint64_t forged = 2 * (pair.size + 8);
    attack_begin();
    for (size_t i = 0; i < BYTES; i++) pair.low[pair.size + i] = i < 8 ? (char)(forged >> 8 * i) : 'A';
    attack_over();
    attack_free(pair.low);
    if (attack_spoiled() != NULL) attack_gained("another live block is changed");
    attack_free(pair.high);
    attack_end(attack_spray_overlaps(pair.size * 2, ATTACK_MANY), "a block with two owners");
}
