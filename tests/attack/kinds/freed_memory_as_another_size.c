/* SPDX-License-Identifier: MIT */
/* The memory of freed blocks comes back as blocks of another size: a pointer to one kind of object leads into another.
 * */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    enum { BLOCKS = 40000 };
    static char *blocks[BLOCKS];
    const size_t size = attack_size(argv);
    const unsigned count = size > 1000000 ? 16 : size > 100000 ? 80 : size > 1000 ? 4000 : BLOCKS;
    for (unsigned i = 0; i < count; i++) blocks[i] = malloc(size);
    for (unsigned i = 0; i < count; i++) free(blocks[i]);
    for (unsigned i = 0; i < count; i++) attack_malloc(size * 3 / 2);
    attack_begin();
    unsigned shared = 0;
    for (unsigned i = 0; i < count; i++) shared += attack_is_owned((uintptr_t)blocks[i]);
    attack_over();
    attack_end(shared > 0, "an old pointer into a block of another size");
}
