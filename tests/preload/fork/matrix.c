/* SPDX-License-Identifier: MIT */
/* Children made in every way, and what each must be able to do.
 *
 *     matrix PARENT       one: the process has one thread; several: it has others, which allocate while it forks
 *     matrix work WHAT, matrix adopt PARENT WHAT, matrix daemon PARENT WHAT    what is started by some of the ways
 *
 * For each way and each WHAT one line "WAY WHAT ok", or where the child was when its time was over. WHAT a child does: calls
 * functions in threads of its own (calls), has a thread call exit (exit), or has one end last (last).
 *
 * The child of _Fork or of a system call may call only what is async-signal-safe where its parent had several threads, since
 * some may hold locks: so they sleep then. */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* glibc 2.34 and later. */
extern pid_t _Fork(void) __attribute__((weak));
extern char **environ;

/* A child takes milliseconds; the rest is for a machine that does other things. */
#define CHILD_SECONDS 60

#define CHECK(condition) ((condition) ? (void)0 : fail(#condition, __LINE__))

static char program[4096];
static const char **place; /* shared with the children; what is being done */

static void fail(const char *condition, int line) {
    printf("line %d: %s (errno %d)\n", line, condition, errno);
    fflush(stdout);
    _exit(1);
}

/* ---- What a child does, each in a thread of its own ---- */

static void call_allocate(void) {
    static const size_t sizes[] = {1, 24, 1000, 3000, 30000, 200000, 900000, 3000000};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    for (int round = 0; round < 3; round++) {
        char *blocks[2 * COUNT];
        for (unsigned i = 0; i < COUNT; i++) {
            CHECK((blocks[i] = malloc(sizes[i])) != NULL && (blocks[COUNT + i] = calloc(1, sizes[i])) != NULL);
            memset(blocks[i], 1, sizes[i] < 4096 ? sizes[i] : 4096);
            CHECK(blocks[COUNT + i][sizes[i] - 1] == 0);
            CHECK((blocks[i] = realloc(blocks[i], sizes[i] + 500)) != NULL && blocks[i][0] == 1);
        }
        for (unsigned i = 0; i < 2 * COUNT; i++) {
            free(blocks[i]);
        }
    }
}

static void call_fopen(void) {
    FILE *stream = fopen("/dev/null", "w");
    CHECK(stream != NULL && fprintf(stream, "%d", 1) == 1 && fclose(stream) == 0);
}

static void call_fflush(void) { CHECK(fflush(NULL) == 0); }

static void call_localtime(void) {
    const time_t now = time(NULL);
    struct tm parts;
    CHECK(localtime(&now) != NULL && localtime_r(&now, &parts) != NULL && mktime(&parts) == now);
}

static void call_popen(void) {
    char line[8] = "";
    FILE *stream = popen("echo 1", "r");
    CHECK(stream != NULL && fgets(line, sizeof line, stream) != NULL && strcmp(line, "1\n") == 0);
    CHECK(pclose(stream) == 0);
}

#ifdef NO_NAME_SERVICE
/* Where the C library is linked statically it loads a shared one for these. */
static void call_getaddrinfo(void) {}
static void call_getpwnam(void) {}
#else
static void call_getaddrinfo(void) {
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found;
    CHECK(getaddrinfo("127.0.0.1", "80", &hints, &found) == 0);
    freeaddrinfo(found);
}

static void call_getpwnam(void) { CHECK(getpwnam("root") != NULL); }
#endif

static void *open_in_thread(void *unused) {
    call_fopen();
    return unused;
}

static void join_one(void *(*run)(void *), void *argument) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, run, argument) == 0 && pthread_join(thread, NULL) == 0);
}

static void call_fork(void) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        call_allocate();
        join_one(open_in_thread, NULL);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static const struct call {
    const char *name;
    void (*call)(void);
} calls[] = {
    {"allocate", call_allocate},
    {"fopen", call_fopen},
    {"fflush", call_fflush},
    {"localtime", call_localtime},
    {"getaddrinfo", call_getaddrinfo},
    {"getpwnam", call_getpwnam},
    {"popen", call_popen},
    {"fork", call_fork},
};
#define CALLS (sizeof calls / sizeof calls[0])

static void *run_call(void *call) {
    ((const struct call *)call)->call();
    return NULL;
}

static void *end_by_exit(void *unused) {
    (void)unused;
    exit(0);
}

/* The C library ends the process with status 0 when its last thread ends. */
static void *end_last(void *first) {
    CHECK(pthread_join(*(pthread_t *)first, NULL) == 0);
    return NULL;
}

static void end_in_thread(void *(*run)(void *)) {
    static pthread_t self;
    pthread_t thread;
    self = pthread_self();
    CHECK(pthread_create(&thread, NULL, run, &self) == 0);
    pthread_exit(NULL);
}

static _Noreturn void work(const char *what) {
    *place = what;
    if (strcmp(what, "exit") == 0) {
        end_in_thread(end_by_exit);
    } else if (strcmp(what, "last") == 0) {
        end_in_thread(end_last);
    }
    for (unsigned i = 0; i < CALLS; i++) {
        *place = calls[i].name;
        join_one(run_call, (void *)&calls[i]);
    }
    *place = "exit of the first thread";
    exit(0);
}

/* ---- The parent's other threads ---- */

#define OTHERS 2
static sem_t others_begin, others_run, others_rest;
static bool others_stop; /* atomic */

static void *other(void *unused) {
    call_allocate();
    sem_post(&others_rest);
    for (;;) {
        sem_wait(&others_begin);
        do {
            call_allocate();
            sem_post(&others_run);
        } while (!__atomic_load_n(&others_stop, __ATOMIC_ACQUIRE));
        sem_post(&others_rest);
    }
    return unused;
}

static void others_start(void) {
    sem_init(&others_begin, 0, 0);
    sem_init(&others_run, 0, 0);
    sem_init(&others_rest, 0, 0);
    for (int i = 0; i < OTHERS; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, other, NULL) == 0);
        sem_wait(&others_rest);
    }
}

static pid_t fork_beside_others(void) {
    __atomic_store_n(&others_stop, false, __ATOMIC_RELEASE);
    for (int i = 0; i < OTHERS; i++) sem_post(&others_begin);
    for (int i = 0; i < OTHERS; i++) sem_wait(&others_run);
    const pid_t child = fork();
    if (child == 0) return 0;
    __atomic_store_n(&others_stop, true, __ATOMIC_RELEASE);
    for (int i = 0; i < OTHERS; i++) sem_wait(&others_rest);
    while (sem_trywait(&others_run) == 0) {
    }
    return child;
}

static bool has_others;

static pid_t by_fork(void) { return has_others ? fork_beside_others() : fork(); }

/* ---- The ways ---- */

static pid_t way_fork(const char *what) {
    const pid_t child = by_fork();
    if (child == 0) work(what);
    return child;
}

static pid_t way_bare_fork(const char *what) {
    const pid_t child = _Fork != NULL ? _Fork() : fork();
    if (child == 0) work(what);
    return child;
}

static pid_t way_clone(const char *what) {
    const pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) work(what);
    return child;
}

static pid_t way_vfork(const char *what) {
    const pid_t child = vfork();
    if (child == 0) {
        execl(program, program, "work", what, (char *)NULL);
        _exit(127);
    }
    return child;
}

static pid_t spawn(const char *first, const char *second, const char *third) {
    char *arguments[] = {program, (char *)first, (char *)second, (char *)third, NULL};
    pid_t child;
    CHECK(posix_spawn(&child, program, NULL, NULL, arguments, environ) == 0);
    return child;
}

static pid_t way_spawn(const char *what) { return spawn("work", what, NULL); }

/* The parent of a daemon ends in daemon(3). Its own parent adopts the daemon, and so learns how it ends. */
static pid_t way_daemon(const char *what) { return spawn("adopt", has_others ? "several" : "one", what); }

static int adopt(const char *parent, const char *what) {
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    (void)spawn("daemon", parent, what);
    int status;
    for (int i = 0; i < 2; i++) CHECK(wait(&status) > 0 && status == 0);
    return 0;
}

static void become_daemon_and_work(const char *parent, const char *what) {
    if (strcmp(parent, "several") == 0) others_start();
    CHECK(daemon(1, 1) == 0);
    alarm(CHILD_SECONDS); /* nobody else ends it */
    work(what);
}

static const struct {
    const char *name;
    pid_t (*start)(const char *what);
} ways[] = {
    {"fork", way_fork},   {"_Fork", way_bare_fork}, {"clone", way_clone},
    {"vfork", way_vfork}, {"spawn", way_spawn},     {"daemon", way_daemon},
};

static void expect_end(pid_t child, const char *way, const char *what) {
    CHECK(child > 0);
    struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, child, 0), .events = POLLIN};
    CHECK(end.fd >= 0);
    const bool is_over = poll(&end, 1, CHILD_SECONDS * 1000) == 1;
    close(end.fd);
    if (!is_over) kill(child, SIGKILL);
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    if (is_over && status == 0) {
        printf("%s %s ok\n", way, what);
    } else {
        printf("%s %s: %s, status %x, at: %s\n", way, what, is_over ? "ended" : "hung", status, *place);
    }
    fflush(stdout);
}

int main(int argc, char **argv) {
    CHECK(readlink("/proc/self/exe", program, sizeof program - 1) > 0);
    place = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK((void *)place != MAP_FAILED);
    free(malloc(100));
    if (argc == 3) work(argv[2]);
    if (argc == 4 && strcmp(argv[1], "adopt") == 0) return adopt(argv[2], argv[3]);
    if (argc == 4) become_daemon_and_work(argv[2], argv[3]);
    has_others = strcmp(argv[1], "several") == 0;
    if (has_others) others_start();
    for (unsigned i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        static const char *const whats[] = {"calls", "exit", "last"};
        for (unsigned j = 0; j < sizeof whats / sizeof whats[0]; j++) {
            /* The C library does not know of a child by system call, which has its parent's number as thread: it waits for the
             * end of that for ever. */
            if (ways[i].start == way_clone && strcmp(whats[j], "last") == 0) continue;
            *place = "nothing yet";
            expect_end(ways[i].start(whats[j]), ways[i].name, whats[j]);
        }
    }
    return 0;
}
