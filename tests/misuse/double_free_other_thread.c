/* SPDX-License-Identifier: MIT */
/* A block is freed by one thread, then by another. */
#include <pthread.h>

#include "tests/misuse/misuse.h"

static void *free_in_thread(void *p) {
    hak_free(p);
    return NULL;
}

int main(int argc, char **argv) {
    (void)argc;
    void *p = misuse_of(hak_alloc(misuse_size(argv)));
    pthread_t thread;
    hak_free(p);
    pthread_create(&thread, NULL, free_in_thread, p);
    pthread_join(thread, NULL);
    hak_thread_flush();
    return 0;
}
