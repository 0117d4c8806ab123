/* SPDX-License-Identifier: MIT */
/* The ways in which a process, or a thread of it, ends while somebody allocates.
 *
 *     exit_paths WAY     one of the names at the end of this file
 *
 * What runs late prints a line, so that the reader sees that it ran. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/preload/life/life.h"
#include "tests/preload/life/load.h"

/* ---- Handlers of exit ---- */

static void *from_main;

static void say(const char *what) {
    load_use_every_size();
    life_print("{\"ran\": \"%s\"}", what);
}

static void at_exit_first_registered(void) {
    life_block_free(from_main);
    say("first");
}

static void at_exit_last_registered(void) {
    life_block_check(from_main);
    say("last");
    /* One more, registered by allocating while exit runs. */
    LIFE_CHECK(atexit(load_use_every_size) == 0);
}

__attribute__((destructor)) static void at_unload(void) { load_use_every_size(); }

static void end_by_exit(void) {
    from_main = life_block_new(5000);
    LIFE_CHECK(atexit(at_exit_first_registered) == 0 && atexit(at_exit_last_registered) == 0);
    exit(0);
}

static void end_by_quick_exit(void) {
    from_main = life_block_new(5000);
    LIFE_CHECK(at_quick_exit(at_exit_first_registered) == 0 && at_quick_exit(at_exit_last_registered) == 0);
    load_start();
    quick_exit(0);
}

static void end_by_exit_at_once(void) {
    LIFE_CHECK(atexit(at_exit_first_registered) == 0);
    load_start();
    load_use_every_size();
    _exit(0);
}

/* ---- Threads that run on ---- */

static void return_with_threads(void) {
    load_start();
    load_use_every_size();
}

static void *allocate_for_ever(void *unused) {
    for (;;) {
        load_use_every_size();
    }
    return unused;
}

static void return_with_detached_threads(void) {
    for (unsigned i = 0; i < LOAD_THREADS; i++) {
        pthread_t thread;
        LIFE_CHECK(pthread_create(&thread, NULL, allocate_for_ever, NULL) == 0 && pthread_detach(thread) == 0);
    }
    load_use_every_size();
}

/* The process ends with the last of its threads, and exit's handlers run there. */
static void *outlive_main(void *main_thread) {
    LIFE_CHECK(pthread_join(*(pthread_t *)main_thread, NULL) == 0);
    /* Enough to be worth purging at leisure, by whatever means. */
    for (unsigned i = 0; i < 8; i++) {
        load_use_every_size();
    }
    return NULL;
}

static void end_main_thread(void) {
    static pthread_t main_thread;
    pthread_t thread;
    from_main = life_block_new(5000);
    LIFE_CHECK(atexit(at_exit_first_registered) == 0);
    main_thread = pthread_self();
    LIFE_CHECK(pthread_create(&thread, NULL, outlive_main, &main_thread) == 0);
    pthread_exit(NULL);
}

/* ---- Ends of threads ---- */

#define KEYS 3
#define THREADS 200

static pthread_key_t keys[KEYS];
static unsigned rounds[THREADS]; /* the thread's own; read after it was joined */
static _Thread_local unsigned *own_rounds;

/* Sets its key again, so that it runs in every round that there is. */
static void destroy(void *block) {
    for (unsigned i = 0; i < KEYS; i++) {
        if (pthread_getspecific(keys[i]) == NULL) {
            LIFE_CHECK(pthread_setspecific(keys[i], life_block_new(100 + 1000 * i)) == 0);
        }
    }
    life_block_free(block);
    load_use_every_size();
    ++*own_rounds;
}

/* The last round's blocks are nobody's any more: the only ones that stay. */
static void *use_keys(void *own) {
    own_rounds = own;
    for (unsigned i = 0; i < KEYS; i++) {
        LIFE_CHECK(pthread_setspecific(keys[i], life_block_new(100 + 1000 * i)) == 0);
    }
    return NULL;
}

static void end_threads_with_keys(void) {
    for (unsigned i = 0; i < KEYS; i++) {
        LIFE_CHECK(pthread_key_create(&keys[i], destroy) == 0);
    }
    struct hak_stats stats[2];
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_t thread;
        LIFE_CHECK(pthread_create(&thread, NULL, use_keys, &rounds[i]) == 0 && pthread_join(thread, NULL) == 0);
        if (i == THREADS / 2 - 1) {
            stats[0] = life_stats();
        }
    }
    stats[1] = life_stats();
    life_print("{\"rounds\": %u, \"stayed\": %lu, \"threads\": %u, \"metadata_growth\": %lu}", rounds[THREADS - 1],
               life_live_blocks(&stats[1]) - life_live_blocks(&stats[0]), THREADS / 2,
               stats[1].metadata_bytes - stats[0].metadata_bytes);
}

static void free_in_cleanup(void *block) {
    life_block_free(block);
    load_use_every_size();
}

static void *wait_to_be_cancelled(void *unused) {
    void *block = life_block_new(5000);
    pthread_cleanup_push(free_in_cleanup, block);
    for (;;) {
        load_use_every_size();
        pthread_testcancel();
    }
    pthread_cleanup_pop(0);
    return unused;
}

static void cancel_threads(void) {
    struct hak_stats before = {0};
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_t thread;
        void *result;
        LIFE_CHECK(pthread_create(&thread, NULL, wait_to_be_cancelled, NULL) == 0);
        LIFE_CHECK(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
        if (i == THREADS / 2) {
            before = life_stats();
        }
    }
    const struct hak_stats after = life_stats();
    life_print("{\"stayed\": %ld, \"metadata_growth\": %lu}",
               (long)(life_live_blocks(&after) - life_live_blocks(&before)),
               after.metadata_bytes - before.metadata_bytes);
}

/* ---- Signals ---- */

static void abort_in_handler(int signal) {
    (void)signal;
    abort();
}

/* The handler comes in the middle of main's allocating, and finds others in the middle of theirs. */
static void abort_while_allocating(void) {
    const struct itimerval soon = {.it_value = {.tv_usec = 20000}};
    struct sigaction action = {.sa_handler = abort_in_handler};
    LIFE_CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    load_start();
    LIFE_CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    allocate_for_ever(NULL);
}

/* ---- fork ---- */

static void *fork_for_ever(void *unused) {
    for (;;) {
        const pid_t child = fork();
        if (child == 0) {
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
    return unused;
}

static _Thread_local void *from_prepare;

static void prepare_by_allocating(void) {
    load_use_every_size();
    from_prepare = life_block_new(5000);
}

static void go_on_by_freeing(void) {
    life_block_free(from_prepare);
    from_prepare = NULL;
    load_use_every_size();
}

static void start_forking_threads(void) {
    for (unsigned i = 0; i < LOAD_THREADS; i++) {
        pthread_t thread;
        LIFE_CHECK(pthread_create(&thread, NULL, fork_for_ever, NULL) == 0 && pthread_detach(thread) == 0);
    }
    usleep(20000);
}

/* exit's destructors find forks between two of their handlers. */
static void return_while_threads_fork(void) { start_forking_threads(); }

/* Between two of the program's own, too, which allocate. The C library takes them away meanwhile. */
static void return_while_threads_fork_with_handlers(void) {
    LIFE_CHECK(pthread_atfork(prepare_by_allocating, go_on_by_freeing, go_on_by_freeing) == 0);
    start_forking_threads();
}

static void quick_exit_while_threads_fork_with_handlers(void) {
    LIFE_CHECK(pthread_atfork(prepare_by_allocating, go_on_by_freeing, go_on_by_freeing) == 0);
    LIFE_CHECK(at_quick_exit(load_use_every_size) == 0);
    start_forking_threads();
    quick_exit(0);
}

/* ---- exec ---- */

static void *exec_in_thread(void *unused) {
    char program[4096] = "";
    LIFE_CHECK(readlink("/proc/self/exe", program, sizeof program - 1) > 0);
    execl(program, program, "exit", (char *)NULL);
    life_fail("%s cannot be started", program);
    return unused;
}

static void exec_while_allocating(void) {
    pthread_t thread;
    load_start();
    LIFE_CHECK(pthread_create(&thread, NULL, exec_in_thread, NULL) == 0);
    allocate_for_ever(NULL);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*end)(void);
    } ways[] = {
        {"exit", end_by_exit},
        {"quick_exit", end_by_quick_exit},
        {"_exit", end_by_exit_at_once},
        {"return", return_with_threads},
        {"return_detached", return_with_detached_threads},
        {"pthread_exit", end_main_thread},
        {"keys", end_threads_with_keys},
        {"cancel", cancel_threads},
        {"abort", abort_while_allocating},
        {"exec", exec_while_allocating},
        {"return_forking", return_while_threads_fork},
        {"return_forking_handlers", return_while_threads_fork_with_handlers},
        {"quick_exit_forking_handlers", quick_exit_while_threads_fork_with_handlers},
    };
    LIFE_CHECK(argc == 2);
    life_begin();
    for (unsigned i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (strcmp(argv[1], ways[i].name) == 0) {
            ways[i].end();
            return 0;
        }
    }
    life_fail("no such way to end: %s", argv[1]);
}
