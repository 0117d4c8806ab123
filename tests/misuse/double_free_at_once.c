/* SPDX-License-Identifier: MIT */
/* A block is freed twice in a row. */
#include "tests/misuse/misuse.h"

int main(int argc, char **argv) {
    (void)argc;
    void *p = misuse_of(hak_alloc(misuse_size(argv)));
    hak_free(p);
    hak_free(p);
    hak_thread_flush();
    return 0;
}
