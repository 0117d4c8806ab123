/* SPDX-License-Identifier: MIT */
/* BYTES are written before a block, which is then freed: what lies there is changed, or forged, as in overflow.c. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const struct attack_pair pair = attack_neighbours(attack_size(argv), true);
    const uint64_t forged = 2 * (pair.size + 8);
    attack_begin();
    for (size_t i = 1; i <= BYTES; i++) pair.high[-(ptrdiff_t)i] = i <= 8 ? (char)(forged >> 8 * (8 - i)) : 'A';
    attack_over();
    attack_free(pair.high);
    if (attack_spoiled() != NULL) attack_gained("another live block is changed");
    attack_end(attack_spray_overlaps(pair.size * 2, ATTACK_MANY), "a block with two owners");
}
