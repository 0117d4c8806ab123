/* SPDX-License-Identifier: MIT */
/* A cancellation waits for the thread's next cancellation point: no call of the allocator is one, also where it writes. */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 400

static const char *what;

/* Each way to a block and back, of every pool; then all that is free goes back to the system. */
static void call_every(void) {
    static const size_t sizes[] = {24, 5000, 100000, 3000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t size = sizes[i];
        void *all[] = {malloc(size), calloc(2, size), aligned_alloc(4096, size),   memalign(256, size),
                       valloc(size), pvalloc(size),   reallocarray(NULL, 2, size), NULL};
        if (posix_memalign(&all[7], 64, size) != 0) all[7] = NULL;
        all[0] = realloc(all[0], 3 * size);
        (void)malloc_usable_size(all[0]);
        for (size_t k = 0; k < sizeof all / sizeof *all; k++) free(all[k]);
    }
    (void)mallinfo2();
    malloc_trim(0);
}

static void *call(void *unused) {
    static void *blocks[BLOCKS];
    pthread_cancel(pthread_self());
    if (strcmp(what, "every") == 0) call_every();
    for (int i = 0; i < BLOCKS; i++) blocks[i] = malloc(64);
    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    if (strcmp(what, "misuse") == 0) free(blocks[0]);
    if (strcmp(what, "stats") == 0) malloc_stats();
    for (int i = 0; i < BLOCKS; i++) blocks[i] = malloc(64);
    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    return unused;
}

int main(int argc, char **argv) {
    pthread_t thread;
    void *result = NULL;
    what = argc > 1 ? argv[1] : "";
    pthread_create(&thread, NULL, call, NULL);
    pthread_join(thread, &result);
    puts(result == PTHREAD_CANCELED ? "cancelled" : "went on to its end");
    return 0;
}
