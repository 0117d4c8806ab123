/* SPDX-License-Identifier: MIT */
/* The end of memory, again and again, in a process with a limit.
 *
 *     exhaust SIZE...
 *
 * Fills the process with blocks of each SIZE in turn. At the end of memory every function says so as C and POSIX want
 * it, and what is there stays as it was; after a part was freed blocks of the other sizes are to be had again; after
 * all was freed, as many blocks as before. Prints what it got of each SIZE, in the first round and in the last. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/preload/life/life.h"

#define ROUNDS 3
#define THREADS 3
#define LARGEST_AFTERWARDS ((size_t)40000)

/* More than is left where one block of the SIZEs was refused. */
#define TOO_MUCH (64 * MIB)

/* A list through the blocks themselves: a table of them would need memory. */
struct link {
    struct link *next;
    size_t size;
};

struct filling {
    struct link *blocks;
    uint64_t bytes;
};

/* Blocks of `size` until there is no more memory; a byte at the end of each is written. */
static void fill(struct filling *filling, size_t size) {
    for (;;) {
        errno = 0;
        struct link *block = malloc(size);
        if (block == NULL) {
            LIFE_CHECK(errno == ENOMEM);
            return;
        }
        *block = (struct link){.next = filling->blocks, .size = size};
        if (size > sizeof *block) {
            ((unsigned char *)block)[size - 1] = (unsigned char)((uintptr_t)block >> 4);
        }
        filling->blocks = block;
        filling->bytes += size;
    }
}

/* Frees blocks until `bytes` are left. */
static void empty(struct filling *filling, uint64_t bytes) {
    while (filling->bytes > bytes) {
        struct link *block = filling->blocks;
        const size_t size = block->size;
        LIFE_CHECK(size == sizeof *block ||
                   ((unsigned char *)block)[size - 1] == (unsigned char)((uintptr_t)block >> 4));
        filling->blocks = block->next;
        filling->bytes -= size;
        free(block);
    }
    LIFE_CHECK((filling->blocks == NULL) == (filling->bytes == 0));
}

static void expect_refusals(const struct filling *filling) {
    struct link *block = filling->blocks;
    const struct link before = *block;
    const unsigned char last = ((unsigned char *)block)[block->size - 1];

    errno = 0;
    LIFE_CHECK(realloc(block, TOO_MUCH) == NULL && errno == ENOMEM);
    LIFE_CHECK(block->next == before.next && block->size == before.size);
    LIFE_CHECK(((unsigned char *)block)[block->size - 1] == last);
    errno = 0;
    LIFE_CHECK(reallocarray(block, TOO_MUCH / 16, 16) == NULL && errno == ENOMEM);
    LIFE_CHECK(block->next == before.next && block->size == before.size);

    errno = 0;
    LIFE_CHECK(calloc(TOO_MUCH / 16, 16) == NULL && errno == ENOMEM);
    void *p = &p;
    LIFE_CHECK(posix_memalign(&p, 64, TOO_MUCH) == ENOMEM && p == &p);
    LIFE_CHECK(posix_memalign(&p, MIB, TOO_MUCH) == ENOMEM && p == &p);
    errno = 0;
    LIFE_CHECK(aligned_alloc(4 * KIB, TOO_MUCH) == NULL && errno == ENOMEM);
    errno = 0;
    LIFE_CHECK(memalign(64, TOO_MUCH) == NULL && errno == ENOMEM);
}

static void expect_other_sizes(void) {
    for (unsigned i = 0; i < life_size_count && life_sizes[i] <= LARGEST_AFTERWARDS; i++) {
        void *block = life_block_new(life_sizes[i]);
        LIFE_CHECK(block != NULL);
        void *larger = realloc(block, life_sizes[i] + 1);
        LIFE_CHECK(larger != NULL);
        LIFE_CHECK(((unsigned char *)larger)[0] == (unsigned char)life_sizes[i]); /* the size comes first */
        free(larger);
        unsigned char *zeroed = calloc(1, life_sizes[i]);
        LIFE_CHECK(zeroed != NULL);
        for (size_t at = 0; at < life_sizes[i]; at++) {
            LIFE_CHECK(zeroed[at] == 0);
        }
        free(zeroed);
        void *aligned = NULL;
        LIFE_CHECK(posix_memalign(&aligned, 256, life_sizes[i]) == 0 && (uintptr_t)aligned % 256 == 0);
        free(aligned);
    }
}

static void exhaust(size_t size) {
    uint64_t bytes[ROUNDS];
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct filling filling = {0};
        fill(&filling, size);
        bytes[round] = filling.bytes;
        expect_refusals(&filling);
        empty(&filling, filling.bytes / 4 * 3);
        expect_other_sizes();
        fill(&filling, size);
        empty(&filling, 0);
    }
    life_print("{\"size\": %zu, \"first\": %lu, \"last\": %lu}", size, bytes[0], bytes[ROUNDS - 1]);
}

/* ---- Several threads at the end of memory at once ---- */

static pthread_barrier_t barrier;

static void *fill_and_empty(void *size) {
    struct filling filling = {0};
    pthread_barrier_wait(&barrier);
    for (unsigned round = 0; round < ROUNDS; round++) {
        fill(&filling, *(size_t *)size);
        empty(&filling, filling.bytes / 2);
        fill(&filling, *(size_t *)size);
        empty(&filling, 0);
    }
    return NULL;
}

static void exhaust_in_threads(size_t size) {
    pthread_t threads[THREADS];
    pthread_attr_t attributes;
    LIFE_CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, 64 * KIB) == 0);
    LIFE_CHECK(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
    for (unsigned i = 0; i < THREADS; i++) {
        LIFE_CHECK(pthread_create(&threads[i], &attributes, fill_and_empty, &size) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        LIFE_CHECK(pthread_join(threads[i], NULL) == 0);
    }
    expect_other_sizes();
}

int main(int argc, char **argv) {
    life_begin();
    for (int i = 1; i < argc; i++) {
        const size_t size = strtoull(argv[i], NULL, 10);
        LIFE_CHECK(size >= sizeof(struct link));
        exhaust(size);
    }
    for (int i = 1; i < argc; i++) {
        exhaust_in_threads(strtoull(argv[i], NULL, 10));
    }
    life_print("{\"sizes\": %d}", argc - 1);
    return 0;
}
