/* SPDX-License-Identifier: MIT */
/* A block is freed again after it went back to its slab, in which another block is alive. */
#include "tests/misuse/misuse.h"

int main(int argc, char **argv) {
    (void)argc;
    void *p = misuse_of(hak_alloc(misuse_size(argv)));
    void *neighbour = hak_alloc(misuse_size(argv));
    hak_free(p);
    hak_thread_flush();
    hak_free(p);
    hak_free(neighbour);
    hak_thread_flush();
    return 0;
}
