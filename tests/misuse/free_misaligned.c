/* SPDX-License-Identifier: MIT */
/* A pointer one byte behind the start of a block is freed. */
#include "tests/misuse/misuse.h"

int main(int argc, char **argv) {
    (void)argc;
    char *p = hak_alloc(misuse_size(argv));
    hak_free(misuse_of(p + 1));
    hak_free(p);
    hak_thread_flush();
    return 0;
}
