/* SPDX-License-Identifier: MIT */
/* A block is freed by its thread, and then by another one. */
#include "tests/attack/attack.h"

#include <pthread.h>

static void *free_it(void *p) {
    free(p);
    return NULL;
}

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    attack_spray(size, 400);
    char *const p = malloc(size);
    free(p);
    attack_begin();
    pthread_t thread;
    attack_require(pthread_create(&thread, NULL, free_it, p) == 0);
    pthread_join(thread, NULL);
    attack_over();
    attack_free_oldest(300);
    attack_end(attack_spray_overlaps(size, ATTACK_MANY), "a block with two owners");
}
