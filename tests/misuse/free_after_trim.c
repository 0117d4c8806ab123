/* SPDX-License-Identifier: MIT */
/* A block is freed again after its memory went back to the system. */
#include "tests/misuse/misuse.h"

int main(int argc, char **argv) {
    (void)argc;
    void *p = misuse_of(hak_alloc(misuse_size(argv)));
    hak_free(p);
    hak_trim();
    hak_free(p);
    hak_thread_flush();
    return 0;
}
