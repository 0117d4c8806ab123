/* SPDX-License-Identifier: MIT */
/* A local variable is freed. */
#include "tests/misuse/misuse.h"

int main(void) {
    int local = 0;
    hak_free(misuse_of(&local));
    hak_thread_flush();
    return 0;
}
