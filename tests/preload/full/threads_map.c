/* SPDX-License-Identifier: MIT */
/* THREADS [CLASSES]: so many threads live at once, each with a block of each of so many sizes. Prints how many blocks were not
 * to be had, and how many mappings the process has more than before, by the thread. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const size_t sizes[] = {16, 48, 100, 300, 700, 2000, 5000, 20000};
#define SIZES (sizeof sizes / sizeof *sizes)

static pthread_barrier_t all;
static unsigned failed;

static void *live(void *unused) {
    char *blocks[SIZES];
    for (unsigned i = 0; i < SIZES; i++) {
        blocks[i] = malloc(sizes[i]);
        if (blocks[i] == NULL)
            __atomic_fetch_add(&failed, 1, __ATOMIC_RELAXED);
        else
            blocks[i][0] = 1;
    }
    pthread_barrier_wait(&all);
    pthread_barrier_wait(&all);
    for (unsigned i = 0; i < SIZES; i++) free(blocks[i]);
    return unused;
}

static unsigned mappings(void) {
    static char text[1 << 16];
    unsigned lines = 0;
    const int file = open("/proc/self/maps", O_RDONLY);
    for (ssize_t got; (got = read(file, text, sizeof text)) > 0;) {
        for (ssize_t i = 0; i < got; i++) lines += text[i] == '\n';
    }
    close(file);
    return lines;
}

int main(int count, char **arguments) {
    const unsigned threads = (unsigned)atoi(arguments[count - 1]);
    pthread_t *thread = malloc(threads * sizeof *thread);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 32768);
    pthread_barrier_init(&all, NULL, threads + 1);
    const unsigned before = mappings();
    for (unsigned i = 0; i < threads; i++) {
        const int error = pthread_create(&thread[i], &small, live, NULL);
        if (error != 0) {
            printf("thread %u: %s\n", i, strerror(error));
            fflush(stdout);
            _exit(1);
        }
    }
    pthread_barrier_wait(&all);
    printf("failed %u, mappings a thread %.2f\n", failed, (double)(mappings() - before) / threads);
    pthread_barrier_wait(&all);
    for (unsigned i = 0; i < threads; i++) pthread_join(thread[i], NULL);
    return 0;
}
