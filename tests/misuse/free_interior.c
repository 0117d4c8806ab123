/* SPDX-License-Identifier: MIT */
/* A pointer to the middle of a block is freed. */
#include "tests/misuse/misuse.h"

int main(int argc, char **argv) {
    (void)argc;
    char *p = hak_alloc(misuse_size(argv));
    hak_free(misuse_of(p + misuse_size(argv) / 2));
    hak_free(p);
    hak_thread_flush();
    return 0;
}
