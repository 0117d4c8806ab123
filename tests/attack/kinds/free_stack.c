/* SPDX-License-Identifier: MIT */
/* A place on the stack is freed, behind a header that glibc takes for that of a chunk. */
#include "tests/attack/attack.h"

int main(void) {
    uint64_t fake[64] __attribute__((aligned(16))) = {0, 0x71};
    volatile uintptr_t place = (uintptr_t)(fake + 2); /* a compiler believes that no block lies on the stack */
    fake[15] = 0x71;
    free(malloc(100));
    attack_begin();
    free((void *)place);
    attack_over();
    for (unsigned i = 0; i < 5000; i++) {
        if ((uintptr_t)malloc(100) == place) attack_gained("malloc returns a place on the stack");
    }
    attack_end(false, "");
}
