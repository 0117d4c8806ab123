/* SPDX-License-Identifier: MIT */
/* 256 bytes are read behind a block: another block has a secret there. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const struct attack_pair pair = attack_neighbours(attack_size(argv), false);
    char seen[256];
    attack_begin();
    for (unsigned i = 0; i < sizeof seen; i++) seen[i] = pair.low[pair.size + i];
    attack_over();
    attack_end(memmem(seen, sizeof seen, "VVVVVVVV", 8) != NULL, "the secret of another live block");
}
