/* SPDX-License-Identifier: MIT */
/* A static array is freed, behind a header that glibc takes for that of a chunk. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    ((uint64_t *)attack_target)[1] = 0x71;
    ((uint64_t *)attack_target)[15] = 0x71;
    free(malloc(100));
    attack_begin();
    free(attack_target + 16);
    attack_over();
    attack_end(attack_malloc_returns_target(100), "malloc returns a static array");
}
