/* SPDX-License-Identifier: MIT */
/* A block is freed, then reallocated to a size of another class. */
#include "tests/misuse/misuse.h"

int main(int argc, char **argv) {
    (void)argc;
    void *p = misuse_of(hak_alloc(misuse_size(argv)));
    hak_free(p);
    hak_free(hak_realloc(p, misuse_size(argv) * 3));
    hak_thread_flush();
    return 0;
}
