/* SPDX-License-Identifier: MIT */
/* A program with deps = ["//hakmem"] and no flag: it has what ships, and every allocation is counted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hakmem/hakmem.h"

enum { BLOCKS = 1000, SIZE = 100 };

static void *blocks[BLOCKS];

int main(void) {
    struct hak_stats before, after;
    hak_stats_get(&before);
    for (size_t i = 0; i < BLOCKS; i++) blocks[i] = hak_alloc(SIZE);
    hak_stats_get(&after);
    for (size_t i = 0; i < BLOCKS; i++) hak_free(blocks[i]);
    unsigned counted = (unsigned)(after.tiny.allocations - before.tiny.allocations);
    printf("%s, %s, granularity %u: %u of %d allocations counted\n", hak_config_string(), hak_classes_string(),
           hak_table_granularity(), counted, BLOCKS);
    if (strcmp(hak_config_string(), "p0+p1+p2+p3") == 0 && strcmp(hak_classes_string(), "fine16") == 0 &&
        hak_table_granularity() == 1 && counted == BLOCKS && after.exact) {
        return EXIT_SUCCESS;
    }
    fprintf(stderr, "that is not what ships: were flags set?\n");
    return EXIT_FAILURE;
}
