/* SPDX-License-Identifier: MIT */
/* Reads the options as the allocator does, so that HAKMEM_HELP=1 prints their table, and ends. */
#include "hakmem/base/options.h"

int main(void) {
    hak_options_init();
    return 0;
}
