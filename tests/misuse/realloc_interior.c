/* SPDX-License-Identifier: MIT */
/* A pointer to the middle of a block is reallocated. */
#include "tests/misuse/misuse.h"

int main(int argc, char **argv) {
    (void)argc;
    char *p = hak_alloc(misuse_size(argv));
    void *q = hak_realloc(misuse_of(p + misuse_size(argv) / 2), 10);
    hak_free(q);
    hak_free(p);
    hak_thread_flush();
    return 0;
}
