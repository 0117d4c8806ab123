/* SPDX-License-Identifier: MIT */
/* A block of the C library is freed. */
#include "tests/misuse/misuse.h"

int main(int argc, char **argv) {
    (void)argc;
    void *block = malloc(misuse_size(argv));
    hak_free(misuse_of(block));
    hak_thread_flush();
    free(block); /* where the policy lets the program go on, the block is still its own allocator's */
    return 0;
}
