/* SPDX-License-Identifier: MIT */
/* Asks hakmem whether the blocks of plain malloc are its own. C and C++ alike. Prints what it is linked with and whose
 * the blocks are; the exit status is 0 where all are hakmem's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hakmem/hakmem.h"

/* Frees the block. */
static bool block_is_ours(const char *from, void *block) {
    struct hak_owner_info info;
    bool ours = block != NULL && hak_owner(block, &info) && info.block == block;
    printf("%s: %s\n", from, ours ? "hakmem" : "somebody else");
    free(block);
    return ours;
}

int main(void) {
    printf("version: %s\nconfig: %s\n", hak_version(), hak_config_string());
    bool ours = block_is_ours("malloc", malloc(100));
    ours &= block_is_ours("large malloc", malloc(3000000));
    /* The C library's own call of malloc. */
    ours &= block_is_ours("strdup", strdup("some text"));
    ours &= block_is_ours("hak_alloc", hak_alloc(100));
    return ours ? 0 : 1;
}
