/* SPDX-License-Identifier: MIT */
/* Prints mallopt's result for every parameter and values around its limits: a line a parameter. */
#include <limits.h>
#include <malloc.h>
#include <stdio.h>

int main(void) {
    static const int values[] = {INT_MIN,       -2,     -1, 0, 1, 7, 159, 160, 161, 4096, 1 << 20, 1 << 25,
                                 (1 << 25) + 1, INT_MAX};
    for (int parameter = -20; parameter <= 20; parameter++) {
        printf("%d:", parameter);
        for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++) {
            printf(" %d", mallopt(parameter, values[i]));
        }
        printf("\n");
    }
    return 0;
}
