/* SPDX-License-Identifier: MIT */
/* Initialises the allocator, so that HAKMEM_HELP=1 prints the table of the options, and ends. */
#include "hakmem/hakmem.h"

int main(void) {
    hak_free(hak_alloc(1));
    return 0;
}
