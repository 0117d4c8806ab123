/* SPDX-License-Identifier: MIT */
/* Opens libhakmem.so, argv[1], as any library: hak_* work beside libc's malloc, in every thread, and after dlclose. */
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "tests/preload/surface/check.h"
#include "tests/preload/surface/sizes.h"

static void *(*alloc)(size_t);
static void (*release)(void *);
static size_t (*usable)(const void *);
static void *kept[SIZE_COUNT];

static void *use(void *argument) {
    void **blocks = argument;
    for (int i = 0; i < SIZE_COUNT; i++) {
        void *p = check_opaque(alloc(sizes[i])), *libcs = check_opaque(malloc(sizes[i]));
        CHECK(p != NULL && usable(p) >= sizes[i]);
        CHECK(usable(libcs) == 0);
        memset(p, 1, sizes[i]);
        free(libcs);
        if (blocks != NULL) {
            blocks[i] = p;
        } else {
            release(p);
        }
    }
    return NULL;
}

static void use_in_a_thread(void) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, use, NULL) == 0);
    pthread_join(thread, NULL);
}

/* A thread that was there before the library came. */
static pthread_barrier_t opened;

static void *wait_and_use(void *argument) {
    pthread_barrier_wait(&opened);
    return use(argument);
}

int main(int argc, char **argv) {
    (void)argc;
    pthread_t early;
    pthread_barrier_init(&opened, NULL, 2);
    CHECK(pthread_create(&early, NULL, wait_and_use, NULL) == 0);
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        printf("%s\n", dlerror());
        return 1;
    }
    *(void **)&alloc = dlsym(library, "hak_alloc");
    *(void **)&release = dlsym(library, "hak_free");
    *(void **)&usable = dlsym(library, "hak_usable_size");
    void *its_malloc = dlsym(library, "malloc");
    CHECK(its_malloc != NULL && its_malloc != dlsym(RTLD_DEFAULT, "malloc"));
    pthread_barrier_wait(&opened);
    use(kept);
    pthread_join(early, NULL);
    use_in_a_thread();
    CHECK(dlclose(library) == 0);
    use_in_a_thread();
    for (int i = 0; i < SIZE_COUNT; i++) {
        CHECK(usable(kept[i]) >= sizes[i]);
        release(kept[i]);
    }
    use(NULL);
    return check_done();
}
