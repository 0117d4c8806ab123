/* SPDX-License-Identifier: MIT */
/* A local variable is reallocated. */
#include "tests/misuse/misuse.h"

int main(void) {
    int local = 0;
    void *p = hak_realloc(misuse_of(&local), 100);
    hak_free(p);
    hak_thread_flush();
    return 0;
}
