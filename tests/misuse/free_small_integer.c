/* SPDX-License-Identifier: MIT */
/* A small number is freed. */
#include "tests/misuse/misuse.h"

int main(void) {
    hak_free(misuse_of((void *)8));
    hak_thread_flush();
    return 0;
}
