/* SPDX-License-Identifier: MIT */
/* A program with allocations of all kinds beside a library that hooks system calls; see library_hooks.c. */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/preload/surface/check.h"
#include "tests/preload/surface/stages.h"

static void *churn(void *argument) {
    for (int i = 0; i < 5; i++) {
        stage_churn("churn");
    }
    return argument;
}

int main(void) {
    unsigned (*hooks_calls)(void);
    *(void **)&hooks_calls = dlsym(RTLD_DEFAULT, "hooks_calls");
    CHECK(hooks_calls != NULL);
    unsigned before = hooks_calls();
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    page = mremap(page, 4096, 8192, MREMAP_MAYMOVE);
    CHECK(page != MAP_FAILED && madvise(page, 8192, MADV_DONTNEED) == 0 && munmap(page, 8192) == 0);
    CHECK(getenv("PATH") != NULL);
    CHECK(hooks_calls() >= before + 5);
    before = hooks_calls();
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        CHECK(pthread_create(&threads[i], NULL, churn, NULL) == 0);
    }
    churn(NULL);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    /* Grows by moving pages; goes back to the system. */
    char *p = check_opaque(malloc(3 << 20));
    p = check_opaque(realloc(p, 30 << 20));
    p[(30 << 20) - 1] = 1;
    free(p);
    malloc_trim(0);
    return check_done();
}
