/* SPDX-License-Identifier: MIT */
/* A program of four threads that allocate, check and free blocks of all pools, for any C library. "ok": all were whole. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 4
#define SLOTS 64u
#define ROUNDS 20000

static void *work(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument * 77 + 1;
    unsigned char *blocks[SLOTS] = {NULL};
    for (unsigned i = 0; i < ROUNDS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u; /* Knuth, MMIX */
        const unsigned slot = (unsigned)(random >> 33) % SLOTS;
        const size_t size = (size_t)(random >> 40) % (i % 100 == 0 ? 300000 : 900) + 1;
        if (blocks[slot] != NULL && blocks[slot][0] != slot) abort();
        free(blocks[slot]);
        blocks[slot] = malloc(size);
        if (blocks[slot] == NULL) abort();
        memset(blocks[slot], (int)slot, size < 200 ? size : 200);
    }
    for (unsigned slot = 0; slot < SLOTS; slot++) free(blocks[slot]);
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, work, (void *)i) != 0) return 1;
    }
    for (unsigned i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    char *text = realloc(malloc(10), 5000000);
    if (text == NULL) return 1;
    memcpy(text, "ok", 3);
    puts(text);
    free(text);
    return 0;
}
