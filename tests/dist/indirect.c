/* SPDX-License-Identifier: MIT */
/* Calls malloc through the C library only: no object file of this program names a function of hakmem's, or one that
 * hakmem replaces. */
#include <stdio.h>

int main(void) {
    FILE *file = fopen("/dev/null", "r");
    return file != NULL && fclose(file) == 0 ? 0 : 1;
}
