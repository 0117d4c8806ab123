/* SPDX-License-Identifier: MIT */
/* Threads hand blocks of all sizes to each other and free them while the process limits its address space. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { THREADS = 4, PLACES = 64, ROUNDS = 6000 };

static _Atomic(unsigned char *) places[PLACES];
static atomic_uint going, wrong;

static void *work(void *argument) {
    static const size_t sizes[] = {16, 100, 3000, 40000, 200000, 1500000};
    unsigned state = (unsigned)(size_t)argument;
    atomic_fetch_add(&going, 1);
    for (unsigned round = 0; round < ROUNDS; round++) {
        state = state * 1103515245u + 12345u;
        unsigned char *block = malloc(sizes[(state >> 8) % 6]);
        if (block == NULL) {
            atomic_fetch_add(&wrong, 1);
            continue;
        }
        block[0] = block[15] = (unsigned char)(state >> 16);
        unsigned char *other = atomic_exchange(&places[(state >> 16) % PLACES], block);
        if (other != NULL && other[0] != other[15]) atomic_fetch_add(&wrong, 1);
        free(other);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    struct rlimit limit = {(rlim_t)2 << 30, RLIM_INFINITY};
    for (size_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)(i + 1));
    while (atomic_load(&going) < THREADS) {
    }
    const int result = setrlimit(RLIMIT_AS, &limit);
    for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (size_t i = 0; i < PLACES; i++) free(atomic_load(&places[i]));
    printf("limited %d, wrong %u\n", result, atomic_load(&wrong));
    return 0;
}
