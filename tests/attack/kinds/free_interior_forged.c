/* SPDX-License-Identifier: MIT */
/* The middle of a live block is freed, behind a header that glibc takes for that of a chunk. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    attack_spray(size, 400);
    char *const p = attack_malloc(size);
    ((uint64_t *)(p + 32))[-1] = 0x41;
    attack_begin();
    free(p + 32);
    attack_over();
    attack_free_oldest(300);
    attack_end(attack_spray_overlaps(48, ATTACK_MANY), "a block with two owners");
}
