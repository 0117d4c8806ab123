/* SPDX-License-Identifier: MIT */
/* Linked beside former.c in every form: most of what a process does with an allocator, from its start to its end. That hakmem
 * serves all of it is checked here; that nothing of former.c is called, there. */
#include "hakmem/hakmem.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(NAMES_INLINED) /* as a program that compiles the fast path into itself */
#include "hakmem/front/front_fast.h"
HAK_STATIC_ASSERT(HAK_P2_INLINE_FAST_PATH, "nothing is inlined without");
#define ALLOC hak_alloc_inline
#define FREE hak_free_inline
#define REALLOC hak_realloc
#elif defined(NAMES_CALLED) /* by hakmem's own names */
#define ALLOC hak_alloc
#define FREE hak_free
#define REALLOC hak_realloc
#elif defined(NAMES_OF_C)
#define ALLOC malloc
#define FREE free
#define REALLOC realloc
#endif

enum { BLOCKS = 20000, THREADS = 3 };

static void check(bool holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        exit(EXIT_FAILURE);
    }
}
#define CHECK(condition) check(condition, #condition)

static void *served(void *p) {
    struct hak_owner_info info;
    CHECK(p != NULL && hak_owner(p, &info) && info.block_size >= 1);
    return p;
}

/* In each pool a size; a block is written to its end. */
static const size_t sizes[] = {1, 100, 1000, 5000, 40000, 300000, 3000000};

static void *blocks[BLOCKS];

/* So many small ones that magazines are exchanged and slabs change hands. Another thread may free them. */
static void *fill(void *unused) {
    (void)unused;
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = served(ALLOC(1 + i % 200));
    }
    return NULL;
}

static void clear(void) {
    for (size_t i = 0; i < BLOCKS; i++) {
        FREE(blocks[i]);
    }
}

static void use_each_pool(void) {
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *p = served(ALLOC(sizes[i]));
        memset(p, 0x5a, sizes[i]);
        p = served(REALLOC(p, 3 * sizes[i]));
        CHECK(p[0] == 0x5a && p[sizes[i] - 1] == 0x5a);
        FREE(p);
        FREE(served(hak_aligned_alloc(4096, sizes[i])));
    }
    FREE(NULL);
}

static void use_threads(void) {
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, fill, NULL) == 0 && pthread_join(thread, NULL) == 0);
        clear();
    }
}

static void use_fork(void) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        fill(NULL);
        clear();
        exit(EXIT_SUCCESS);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static bool visit(const struct hak_walk_block *block, void *count) {
    *(size_t *)count += block->size != 0;
    return true;
}

static void observe(void) {
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    size_t count = 0;
    void *p = served(ALLOC(100));
    for (int format = HAK_STATS_TEXT; format <= HAK_STATS_PROMETHEUS; format++) {
        CHECK(hak_stats_write(nowhere, (enum hak_stats_format)format) == 0);
    }
    CHECK(hak_walk(visit, &count, NULL) == 0 && count >= 1);
    hak_profile_stop();
    hak_profile_write("/dev/null");
    FREE(p);
    close(nowhere);
}

int main(void) {
    hak_profile_start(4096); /* a build with guard full has none */
    use_each_pool();
    use_threads();
    use_fork();
    observe();
    hak_thread_flush();
    hak_trim();
    fill(NULL);
    clear();
    puts("served");
    return EXIT_SUCCESS;
}
