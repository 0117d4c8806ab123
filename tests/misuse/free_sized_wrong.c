/* SPDX-License-Identifier: MIT */
/* A block is freed with a size that is larger than it. */
#include "tests/misuse/misuse.h"

int main(int argc, char **argv) {
    (void)argc;
    void *p = misuse_of(hak_alloc(misuse_size(argv)));
    hak_free_sized(p, hak_usable_size(p) + 1);
    hak_thread_flush();
    return 0;
}
