/* SPDX-License-Identifier: MIT */
/* A plug-in of replaced.c, with a frame of FRAME bytes. */
#include <stdlib.h>

void plugin(void);

void plugin(void) {
    volatile char frame[FRAME];
    frame[0] = frame[FRAME - 1] = 1;
    for (unsigned i = 0; i < 5; i++) {
        void *volatile p = malloc(100);
        free(p);
    }
    frame[1] = 2;
}
