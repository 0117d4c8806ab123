/* SPDX-License-Identifier: MIT */
/* Four services that do nothing but ask for memory: shapes SHAPE WORK_MS IDLE_MS MIB
 *
 *   spike   a light load; in the middle of it four threads hold MIB together, for a second, and free all of it
 *   drift   blocks that are replaced at random, MIB of them, while their mean size grows from 64 bytes to 4 KiB and
 *           shrinks again; in the end three of four are freed
 *   churn   three times blocks of about 1 KiB are replaced at random, MIB of them, and all but one in a hundred freed, with a
 *           pause after each but the last
 *   pool    64 threads that each work off a burst of blocks now and then, MIB in all of them together, and then wait
 *
 * After that nothing is done for IDLE_MS, and the program ends. In the working folder `marks` gets a line a moment,
 * a word and nanoseconds of CLOCK_MONOTONIC: "begin" when it works, "idle" when it has done all, "end" after the idle
 * time. `latencies` gets the nanoseconds of each request as a uint32_t. Each thread has its own data but for these two
 * files, which are appended to by single writes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_BROKEN = 1, EXIT_USAGE = 2 };

#define MIB ((size_t)1 << 20)
#define NS_OF_MS INT64_C(1000000)

#define SPIKE_THREADS 4
#define POOL_THREADS 64
#define POOL_PAUSE_MS_MAX 40
#define REQUEST_BLOCKS 64
#define REQUEST_SIZE_MAX 4096
#define SPIKE_SIZE_MAX (64 * 1024)
#define SPIKE_HELD_MS 1000 /* several looks at the memory, which nobody would see else */
#define DRIFT_SIZE_MIN 64
#define DRIFT_SIZE_MAX 4096
#define CHURN_SIZE 1024
#define CHURN_TIDES 3
#define CHURN_KEPT 100 /* one block in so many */

/* Of the working time: churn and drift do the same work however fast it is done. */
#define REQUESTS_PER_MS 5

/* Latencies that a thread keeps until it writes them: a page of them. */
#define KEPT 1024

static int marks, latencies;                  /* constant once threads run */
static int64_t work_ns, idle_ns;              /* likewise */
static size_t most_bytes;                     /* likewise */
static pthread_barrier_t spike_full, at_rest; /* likewise */

struct worker {
    uint64_t random; /* xorshift state, never 0 */
    unsigned kept;
    uint32_t ns[KEPT];
};

static void fail(const char *what) {
    fprintf(stderr, "shapes: %s: %s\n", what, strerror(errno));
    exit(EXIT_BROKEN);
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void sleep_ns(int64_t ns) {
    struct timespec left = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static void mark(const char *word) {
    if (dprintf(marks, "%s %lld\n", word, (long long)now_ns()) < 0) {
        fail("marks");
    }
}

static uint64_t random_next(struct worker *self) {
    self->random ^= self->random << 13;
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    return self->random;
}

/* A number from `low` to `high`. */
static size_t random_between(struct worker *self, size_t low, size_t high) {
    return low + (size_t)(random_next(self) >> 11) % (high - low + 1);
}

/* A block whose bytes are all written, as those of a request are. */
static char *filled(size_t size) {
    char *p = malloc(size);
    if (p == NULL) {
        fail("malloc");
    }
    memset(p, (int)size, size);
    return p;
}

static void write_latencies(struct worker *self) {
    size_t bytes = self->kept * sizeof self->ns[0];
    if (write(latencies, self->ns, bytes) != (ssize_t)bytes) {
        fail("latencies");
    }
    self->kept = 0;
}

static void took(struct worker *self, int64_t since_ns) {
    int64_t ns = now_ns() - since_ns;
    self->ns[self->kept++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
    if (self->kept == KEPT) {
        write_latencies(self);
    }
}

/* `count` blocks that live together, none after it. */
static void request(struct worker *self, size_t count) {
    static _Thread_local char *blocks[4 * REQUEST_BLOCKS];
    int64_t began = now_ns();
    for (size_t i = 0; i < count; i++) {
        blocks[i] = filled(random_between(self, 16, REQUEST_SIZE_MAX));
    }
    for (size_t i = 0; i < count; i++) {
        free(blocks[i]);
    }
    took(self, began);
}

/* A request each millisecond. */
static void light_load(struct worker *self, int64_t ns) {
    for (int64_t end = now_ns() + ns; now_ns() < end;) {
        request(self, REQUEST_BLOCKS);
        sleep_ns(NS_OF_MS);
    }
}

/* Its part of the spike, chained by the blocks' first words; held until every thread has its own. */
static void *spike_thread(void *argument) {
    struct worker *self = argument;
    char *first = NULL;
    for (size_t held = 0; held < most_bytes / SPIKE_THREADS;) {
        size_t size = random_between(self, 64, random_between(self, 64, SPIKE_SIZE_MAX));
        char *p = filled(size);
        memcpy(p, &first, sizeof first);
        first = p;
        held += size;
    }
    pthread_barrier_wait(&spike_full);
    sleep_ns(SPIKE_HELD_MS * NS_OF_MS);
    while (first != NULL) {
        char *p = first;
        memcpy(&first, p, sizeof first);
        free(p);
    }
    return NULL;
}

/* The threads stay, as those of a pool do, until the idle time is over: they wait for the main thread. */
static void *spike_and_wait(void *argument) {
    spike_thread(argument);
    pthread_barrier_wait(&at_rest);
    pthread_barrier_wait(&at_rest);
    return NULL;
}

static void start(pthread_t *threads, struct worker *workers, unsigned count, void *(*work)(void *)) {
    for (unsigned i = 0; i < count; i++) {
        workers[i].random = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        errno = pthread_create(&threads[i], NULL, work, &workers[i]);
        if (errno != 0) {
            fail("pthread_create");
        }
    }
}

static void join(pthread_t *threads, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
}

static void rest(void) {
    mark("idle");
    sleep_ns(idle_ns);
    mark("end");
}

static void spike(struct worker *self) {
    static struct worker workers[SPIKE_THREADS];
    pthread_t threads[SPIKE_THREADS];
    pthread_barrier_init(&spike_full, NULL, SPIKE_THREADS);
    pthread_barrier_init(&at_rest, NULL, SPIKE_THREADS + 1);
    light_load(self, work_ns / 3);
    start(threads, workers, SPIKE_THREADS, spike_and_wait);
    pthread_barrier_wait(&at_rest);
    light_load(self, work_ns / 3);
    rest();
    pthread_barrier_wait(&at_rest);
    join(threads, SPIKE_THREADS);
}

/* The live blocks of `drift`, in no order. */
struct table {
    char **block;
    uint32_t *size;
    size_t count, bytes;
};

static void drop_any(struct worker *self, struct table *table) {
    size_t gone = random_between(self, 0, table->count - 1);
    free(table->block[gone]);
    table->bytes -= table->size[gone];
    table->count--;
    table->block[gone] = table->block[table->count];
    table->size[gone] = table->size[table->count];
}

/* As many new blocks as a request has, of this mean size; as many old ones go as the bound wants. */
static void replace(struct worker *self, struct table *table, size_t mean) {
    int64_t began = now_ns();
    for (unsigned i = 0; i < REQUEST_BLOCKS; i++) {
        size_t size = random_between(self, mean / 2, mean + mean / 2);
        while (table->count != 0 && table->bytes + size > most_bytes) {
            drop_any(self, table);
        }
        table->block[table->count] = filled(size);
        table->size[table->count++] = (uint32_t)size;
        table->bytes += size;
    }
    took(self, began);
}

/* For as many blocks as there can be of this mean size. */
static struct table table_new(size_t mean) {
    size_t slots = most_bytes / (mean / 2) + 1;
    struct table table = {.block = malloc(slots * sizeof *table.block), .size = malloc(slots * sizeof *table.size)};
    if (table.block == NULL || table.size == NULL) {
        fail("malloc");
    }
    return table;
}

/* Frees random blocks until one in `share` is left. */
static void table_keep(struct worker *self, struct table *table, size_t share) {
    for (size_t left = table->count / share; table->count > left;) {
        drop_any(self, table);
    }
}

static void churn(struct worker *self) {
    struct table table = table_new(CHURN_SIZE);
    for (unsigned tide = 0; tide < CHURN_TIDES; tide++) {
        if (tide > 0) {
            sleep_ns(idle_ns / 4);
        }
        for (int64_t i = work_ns / NS_OF_MS * REQUESTS_PER_MS / CHURN_TIDES; i > 0; i--) {
            replace(self, &table, CHURN_SIZE);
        }
        table_keep(self, &table, CHURN_KEPT);
    }
    rest();
}

static void drift(struct worker *self) {
    struct table table = table_new(DRIFT_SIZE_MIN);
    int64_t requests = work_ns / NS_OF_MS * REQUESTS_PER_MS, half = requests / 2 + 1;
    for (int64_t i = 0; i < requests; i++) {
        int64_t way = i < half ? i : requests - i;
        replace(self, &table, DRIFT_SIZE_MIN + (size_t)(way * (DRIFT_SIZE_MAX - DRIFT_SIZE_MIN) / half));
    }
    table_keep(self, &table, 4);
    rest();
}

/* Bursts with pauses between them until the time is over; then it waits as long as the main thread does. */
static void *pool_thread(void *argument) {
    struct worker *self = argument;
    size_t blocks = most_bytes / POOL_THREADS / (REQUEST_SIZE_MAX / 2);
    blocks = blocks < 4 * REQUEST_BLOCKS ? blocks : 4 * REQUEST_BLOCKS;
    for (int64_t end = now_ns() + work_ns; now_ns() < end;) {
        request(self, blocks);
        sleep_ns((int64_t)random_between(self, 1, POOL_PAUSE_MS_MAX) * NS_OF_MS);
    }
    write_latencies(self);
    pthread_barrier_wait(&at_rest);
    pthread_barrier_wait(&at_rest);
    return NULL;
}

static void pool(struct worker *self) {
    static struct worker workers[POOL_THREADS];
    pthread_t threads[POOL_THREADS];
    (void)self;
    pthread_barrier_init(&at_rest, NULL, POOL_THREADS + 1);
    start(threads, workers, POOL_THREADS, pool_thread);
    pthread_barrier_wait(&at_rest);
    rest();
    pthread_barrier_wait(&at_rest);
    join(threads, POOL_THREADS);
}

/* A whole number from 1 on. */
static long number(const char *text) {
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < 1 || value > 1000000000) {
        fprintf(stderr, "shapes: '%s' is not a whole number from 1 to 1000000000\n", text);
        exit(EXIT_USAGE);
    }
    return value;
}

static int created(const char *name) {
    int file = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0) {
        fail(name);
    }
    return file;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(struct worker *self);
    } shapes[] = {{"spike", spike}, {"drift", drift}, {"churn", churn}, {"pool", pool}};
    static struct worker self = {.random = 1};
    if (argc != 5) {
        fprintf(stderr, "usage: shapes spike|drift|churn|pool WORK_MS IDLE_MS MIB\n");
        return EXIT_USAGE;
    }
    work_ns = number(argv[2]) * NS_OF_MS;
    idle_ns = number(argv[3]) * NS_OF_MS;
    most_bytes = (size_t)number(argv[4]) * MIB;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        if (strcmp(argv[1], shapes[i].name) == 0) {
            latencies = created("latencies");
            marks = created("marks");
            mark("begin");
            shapes[i].run(&self);
            write_latencies(&self);
            return 0;
        }
    }
    fprintf(stderr, "shapes: there is no shape '%s'; there are spike, drift, churn and pool\n", argv[1]);
    return EXIT_USAGE;
}
