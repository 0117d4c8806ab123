/* SPDX-License-Identifier: MIT */
/* The size of a freed block is asked for, and the program goes on as though it lived. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    char *const p = malloc(size);
    free(p);
    attack_begin();
    const size_t usable = malloc_usable_size(p);
    attack_over();
    attack_end(usable >= size, "the size of a block that is none");
}
