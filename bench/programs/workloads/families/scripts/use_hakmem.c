/* SPDX-License-Identifier: MIT */
/* Linked with the objects that a compiler made of hakmem's sources: shows that they work. */
#include <stdio.h>
#include <string.h>

#include "hakmem/hakmem.h"

enum { BLOCKS = 1000 };

int main(void) {
    static char *blocks[BLOCKS];
    unsigned whole = 0;
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = hak_alloc(1 + i * 37);
        memset(blocks[i], (int)(i & 0xff), 1 + i * 37);
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        whole += (unsigned char)blocks[i][0] == (i & 0xff) && (unsigned char)blocks[i][i * 37] == (i & 0xff);
        hak_free(blocks[i]);
    }
    printf("hakmem works: %u of %d blocks\n", whole, BLOCKS);
    return 0;
}
