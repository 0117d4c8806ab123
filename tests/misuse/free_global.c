/* SPDX-License-Identifier: MIT */
/* A global variable is freed. */
#include "tests/misuse/misuse.h"

int main(void) {
    static int global;
    hak_free(misuse_of(&global));
    hak_thread_flush();
    return 0;
}
