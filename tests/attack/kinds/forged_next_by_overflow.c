/* SPDX-License-Identifier: MIT */
/* An overflow out of a live block puts an address into the first word of the freed block behind it. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const struct attack_pair pair = attack_neighbours(attack_size(argv), false);
    const uint64_t forged = (uintptr_t)attack_target;
    attack_free(pair.high);
    attack_begin();
    for (char *at = pair.low + pair.size; at < pair.high; at++) *at = *at;
    memcpy(pair.high, &forged, sizeof forged);
    attack_over();
    attack_end(attack_malloc_returns_target(pair.size), "malloc returns an address that the attacker chose");
}
