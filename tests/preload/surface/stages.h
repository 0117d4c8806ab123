/* SPDX-License-Identifier: MIT */
/* Allocation at the edges of a process's and a thread's life, where failures can only abort. */
#ifndef TESTS_PRELOAD_SURFACE_STAGES_H
#define TESTS_PRELOAD_SURFACE_STAGES_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STAGE_SIZES = 6, STAGE_BLOCKS = 3 };

/* Blocks that one stage leaves to a later one. */
struct stage_kept {
    unsigned char *blocks[STAGE_SIZES];
};

static const size_t stage_sizes[STAGE_SIZES] = {1, 40, 1000, 5000, 200000, 2000000};

static inline void stage_require(int holds, const char *stage) {
    if (!holds) {
        (void)!write(2, stage, strlen(stage));
        (void)!write(2, ": failed\n", 9);
        abort();
    }
}

static inline void stage_keep(struct stage_kept *kept, const char *stage) {
    for (int i = 0; i < STAGE_SIZES; i++) {
        kept->blocks[i] = (unsigned char *)malloc(stage_sizes[i]);
        stage_require(kept->blocks[i] != NULL, stage);
        memset(kept->blocks[i], i + 1, stage_sizes[i]);
    }
}

static inline void stage_drop(struct stage_kept *kept, const char *stage) {
    for (int i = 0; i < STAGE_SIZES; i++) {
        unsigned char *block = kept->blocks[i];
        stage_require(block != NULL && block[0] == i + 1 && block[stage_sizes[i] - 1] == i + 1, stage);
        free(block);
        kept->blocks[i] = NULL;
    }
}

/* Many blocks, so that magazines are refilled and emptied. */
static inline void stage_churn(const char *stage) {
    for (int i = 0; i < STAGE_SIZES; i++) {
        static __thread unsigned char *blocks[300];
        int count = stage_sizes[i] > 100000 ? STAGE_BLOCKS : 300;
        for (int k = 0; k < count; k++) {
            blocks[k] = (unsigned char *)malloc(stage_sizes[i]);
            stage_require(blocks[k] != NULL, stage);
            blocks[k][0] = blocks[k][stage_sizes[i] - 1] = (unsigned char)k;
        }
        unsigned char *grown = (unsigned char *)realloc(calloc(1, stage_sizes[i]), stage_sizes[i] * 2);
        stage_require(grown != NULL && grown[0] == 0 && grown[stage_sizes[i] - 1] == 0, stage);
        free(grown);
        for (int k = 0; k < count; k++) {
            stage_require(blocks[k][0] == (unsigned char)k, stage);
            free(blocks[k]);
        }
    }
}

#endif
