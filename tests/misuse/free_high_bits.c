/* SPDX-License-Identifier: MIT */
/* A pointer to a block with bits above the address space set is freed. */
#include "tests/misuse/misuse.h"

int main(int argc, char **argv) {
    (void)argc;
    char *p = hak_alloc(misuse_size(argv));
    hak_free(misuse_of((void *)((uintptr_t)p | (uintptr_t)1 << 60)));
    hak_free(p);
    hak_thread_flush();
    return 0;
}
