/* SPDX-License-Identifier: MIT */
/* A service that does what its standard input says, line by line, and says "done" after each; for switch_test.py.
 *
 *     first N         makes N blocks of 64 bytes, which stay
 *     second N        of 900 bytes, as the C library asks for none
 *     third N         of 5,000 bytes
 *     fourth N        of 2,000 bytes
 *     free N          frees the last N of those
 *     by NAME N       has a thread of that name make N of the second kind; it stays, and sleeps
 *     steady          has a thread make a block of 1,000 bytes every millisecond, which stays
 *     load N          has N threads allocate and free what they like
 *     rest            ends these threads; they have freed everything
 *     no-files        lets the system refuse it another descriptor; files: no more
 *     fork            goes on in a child, whose number it says, while the parent waits for it */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SITE __attribute__((noinline))
#define KEPT_MOST 100000
#define THREADS_MOST 16
#define LOAD_BLOCKS 500

static void *kept[KEPT_MOST];
static unsigned kept_count;
static atomic_bool loads;

/* What the compiler must not leave out. */
static void *used(void *p) {
    __asm__ volatile("" : "+r"(p) : : "memory");
    if (p == NULL) abort();
    return p;
}

SITE static void *make_first(void) { return used(malloc(64)); }
SITE static void *make_second(void) { return used(malloc(900)); }
SITE static void *make_third(void) { return used(malloc(5000)); }
SITE static void *make_fourth(void) { return used(malloc(2000)); }
SITE static void *make_steady(void) { return used(malloc(1000)); }
SITE static void *make_load(size_t size) { return used(malloc(size)); }

static void keep(void *(*make)(void), unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        if (kept_count == KEPT_MOST) abort();
        kept[kept_count++] = make();
    }
}

static void free_last(unsigned count) {
    for (unsigned i = 0; i < count; i++) free(kept[--kept_count]);
}

struct named {
    char name[16];
    unsigned count;
    atomic_bool is_ready;
};

/* No other thread keeps blocks meanwhile: who started it waits. */
static void *by_name(void *argument) {
    struct named *named = argument;
    pthread_setname_np(pthread_self(), named->name);
    keep(make_second, named->count);
    atomic_store(&named->is_ready, true);
    while (true) pause();
    return NULL;
}

static void start(pthread_t *thread, void *(*run)(void *), void *argument) {
    if (pthread_create(thread, NULL, run, argument) != 0) abort();
}

static void wait_a_little(void) { nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); }

static void start_named(const char *name, unsigned count) {
    static struct named all[THREADS_MOST];
    static unsigned used_count;
    struct named *named = &all[used_count++];
    pthread_t thread;
    snprintf(named->name, sizeof named->name, "%s", name);
    named->count = count;
    start(&thread, by_name, named);
    while (!atomic_load(&named->is_ready)) wait_a_little();
}

static void *steady(void *unused) {
    while (true) {
        (void)make_steady();
        wait_a_little();
    }
    return unused;
}

static void *load(void *argument) {
    unsigned random = (unsigned)(size_t)argument;
    void *blocks[LOAD_BLOCKS] = {NULL};
    while (atomic_load(&loads)) {
        random = random * 1103515245u + 12345u;
        const unsigned place = random / 65536 % LOAD_BLOCKS, kind = random / 256 % 64;
        free(blocks[place]);
        blocks[place] = make_load(kind == 0 ? 2000000 : kind < 4 ? 70000 : 16 + random / 4096 % 3000);
    }
    for (unsigned i = 0; i < LOAD_BLOCKS; i++) free(blocks[i]);
    return NULL;
}

static pthread_t load_threads[THREADS_MOST];
static unsigned load_count;

static void start_load(unsigned count) {
    atomic_store(&loads, true);
    for (load_count = 0; load_count < count; load_count++) {
        start(&load_threads[load_count], load, (void *)(size_t)(load_count + 1));
    }
}

static void end_load(void) {
    atomic_store(&loads, false);
    for (unsigned i = 0; i < load_count; i++) pthread_join(load_threads[i], NULL);
}

static void limit_files(bool is_limited) {
    static rlim_t before;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) abort();
    if (is_limited) {
        const int next = dup(STDIN_FILENO);
        if (next < 0 || close(next) != 0) abort();
        before = limit.rlim_cur;
        limit.rlim_cur = (rlim_t)next;
    } else {
        limit.rlim_cur = before;
    }
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) abort();
}

static void go_on_in_child(void) {
    const pid_t child = fork();
    if (child < 0) abort();
    if (child > 0) _exit(waitpid(child, NULL, 0) == child ? 0 : 1);
}

static void say(const char *word) {
    char line[64];
    const int length = snprintf(line, sizeof line, "%s %ld\n", word, (long)getpid());
    if (write(STDOUT_FILENO, line, (size_t)length) != length) abort();
}

/* Without a buffer, which would be another in each process. */
static bool read_line(char *line, size_t size) {
    size_t length = 0;
    while (length + 1 < size && read(STDIN_FILENO, &line[length], 1) == 1) {
        if (line[length] == '\n') {
            line[length] = '\0';
            return true;
        }
        length++;
    }
    return false;
}

static void obey(const char *line) {
    static const struct {
        const char *name;
        void *(*make)(void);
    } kinds[] = {{"first", make_first}, {"second", make_second}, {"third", make_third}, {"fourth", make_fourth}};
    char word[16] = "", name[16] = "";
    unsigned count = 0;
    (void)!sscanf(line, "%15s %u", word, &count);
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(word, kinds[i].name) == 0) keep(kinds[i].make, count);
    }
    if (strcmp(word, "free") == 0) free_last(count);
    if (sscanf(line, "by %15s %u", name, &count) == 2) start_named(name, count);
    if (strcmp(word, "steady") == 0) start(&load_threads[0], steady, NULL);
    if (strcmp(word, "load") == 0) start_load(count);
    if (strcmp(word, "rest") == 0) end_load();
    if (strcmp(word, "no-files") == 0) limit_files(true);
    if (strcmp(word, "files") == 0) limit_files(false);
    if (strcmp(word, "fork") == 0) go_on_in_child();
}

int main(void) {
    char line[64];
    (void)make_first(); /* so that the thread is known, and one publishes */
    say("ready");
    while (read_line(line, sizeof line)) {
        obey(line);
        say("done");
    }
    return 0;
}
