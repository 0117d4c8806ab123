/* SPDX-License-Identifier: MIT */
/* Threads that allocate, for //bench:readers: what an operation costs them, whoever reads meanwhile.
 *
 *     writers THREADS OPERATIONS [walk]
 *
 * Each thread fills its slots; then the program says "ready". A line on standard input begins what is counted: each thread
 * replaces so many blocks, or with 0 OPERATIONS goes on until another line comes. A line of JSON then says what was done;
 * cpu_ns is processor time of these threads alone, by their own clocks. Where standard input ends before the first line,
 * nothing is counted. The program ends when standard input does.
 *
 * walk: one more thread walks over all blocks meanwhile, again and again, by hak_walk of the library that is preloaded. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hakmem/hakmem.h"

#define SLOTS 1024
#define THREADS_MAX 64
#define BATCH 1000 /* operations between two looks at whether to go on */

typedef int walk_function(hak_walk_visitor visit, void *argument, struct hak_walk_result *result);

static struct writer {
    pthread_t thread;
    uint64_t random;
    void *slots[SLOTS];
    uint64_t operations; /* that were counted */
    uint64_t cpu_ns;
} writers[THREADS_MAX];

static uint64_t wanted; /* operations of each thread, or 0; constant once threads run */
static pthread_barrier_t turn;
static int is_told;    /* atomic: no more operations */
static int is_over;    /* atomic: no more walks */
static uint64_t walks; /* atomic: that are through */

static uint64_t own_cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* 16 bytes to 1 KiB, and 50,000 bytes once in 256 times. */
static size_t drawn_size(uint64_t random) { return random >> 56 == 0 ? 50000 : 16 + (random >> 20 & 1023); }

static void *allocate(size_t size) {
    void *const block = malloc(size);
    if (block == NULL) {
        fputs("writers: no memory\n", stderr);
        exit(1);
    }
    return block;
}

/* What is counted, by callgrind too, which knows it by its name. */
__attribute__((noinline)) static void replace_blocks(struct writer *writer, uint64_t count) {
    uint64_t random = writer->random;
    for (uint64_t i = 0; i < count; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        void **const slot = &writer->slots[random >> 40 & (SLOTS - 1)];
        free(*slot);
        *slot = allocate(drawn_size(random));
    }
    writer->random = random;
}

static void *write_blocks(void *argument) {
    struct writer *const writer = argument;
    for (unsigned i = 0; i < SLOTS; i++) writer->slots[i] = allocate(16 + i);
    pthread_barrier_wait(&turn); /* filled */
    pthread_barrier_wait(&turn); /* begun */
    const uint64_t before = own_cpu_ns();
    if (wanted > 0) replace_blocks(writer, wanted);
    for (writer->operations = wanted; wanted == 0 && __atomic_load_n(&is_told, __ATOMIC_RELAXED) == 0;
         writer->operations += BATCH) {
        replace_blocks(writer, BATCH);
    }
    writer->cpu_ns = own_cpu_ns() - before;
    pthread_barrier_wait(&turn); /* done */
    pthread_barrier_wait(&turn); /* over */
    for (unsigned i = 0; i < SLOTS; i++) free(writer->slots[i]);
    return NULL;
}

static bool pass_by(const struct hak_walk_block *block, void *argument) {
    (void)block;
    (void)argument;
    return true;
}

static void *walk_again_and_again(void *function) {
    walk_function *walk;
    memcpy(&walk, &function, sizeof walk);
    do {
        if (walk(pass_by, NULL, NULL) != 0) {
            fputs("writers: hak_walk failed\n", stderr);
            exit(1);
        }
        __atomic_add_fetch(&walks, 1, __ATOMIC_RELAXED);
    } while (__atomic_load_n(&is_over, __ATOMIC_RELAXED) == 0);
    return NULL;
}

static bool read_line(void) {
    int byte = getchar();
    while (byte != '\n' && byte != EOF) byte = getchar();
    return byte != EOF;
}

/* Until a walk is through that began after the call: the first one may have begun before. */
static void wait_for_a_walk(void) {
    const struct timespec pause = {0, 1000000};
    const uint64_t before = __atomic_load_n(&walks, __ATOMIC_RELAXED);
    while (__atomic_load_n(&walks, __ATOMIC_RELAXED) < before + 2) nanosleep(&pause, NULL);
}

static void print_result(unsigned threads) {
    uint64_t operations = 0, cpu_ns = 0;
    for (unsigned i = 0; i < threads; i++) {
        operations += writers[i].operations;
        cpu_ns += writers[i].cpu_ns;
    }
    printf("{\"operations\": %llu, \"cpu_ns\": %llu, \"walks\": %llu}\n", (unsigned long long)operations,
           (unsigned long long)cpu_ns, (unsigned long long)walks);
    fflush(stdout);
}

int main(int argc, char **argv) {
    const unsigned threads = argc > 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    const bool is_walked = argc > 3 && strcmp(argv[3], "walk") == 0;
    void *const walk = dlsym(RTLD_DEFAULT, "hak_walk");
    pthread_t walker;
    if (threads < 1 || threads > THREADS_MAX || (is_walked && walk == NULL)) {
        fputs("writers: 1 to 64 threads, operations, and walk where hakmem is preloaded\n", stderr);
        return 2;
    }
    wanted = strtoull(argv[2], NULL, 10);
    pthread_barrier_init(&turn, NULL, threads + 1);
    for (unsigned i = 0; i < threads; i++) {
        writers[i].random = i + 1;
        if (pthread_create(&writers[i].thread, NULL, write_blocks, &writers[i]) != 0) return 1;
    }
    pthread_barrier_wait(&turn); /* filled */
    if (is_walked && pthread_create(&walker, NULL, walk_again_and_again, walk) != 0) return 1;
    puts("ready");
    fflush(stdout);
    bool goes_on = read_line();
    if (!goes_on) {
        wanted = 0; /* the threads wait */
        __atomic_store_n(&is_told, 1, __ATOMIC_RELAXED);
    }
    pthread_barrier_wait(&turn); /* begun */
    if (goes_on && wanted == 0) goes_on = read_line();
    if (goes_on && is_walked) wait_for_a_walk();
    __atomic_store_n(&is_told, 1, __ATOMIC_RELAXED);
    pthread_barrier_wait(&turn); /* done */
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    if (is_walked) pthread_join(walker, NULL);
    print_result(threads);
    while (goes_on) goes_on = read_line();
    pthread_barrier_wait(&turn); /* over */
    for (unsigned i = 0; i < threads; i++) pthread_join(writers[i].thread, NULL);
    return 0;
}
