/* SPDX-License-Identifier: MIT */
/* Starts one program, waits for it, and reports what it took: launch FD PRELOAD PROGRAM [ARGUMENT...].
 *
 * The report goes to the open descriptor FD as one line: wait status, nanoseconds from fork to end, microseconds of
 * user and of system time, most resident KiB, page faults without input. PRELOAD becomes the program's LD_PRELOAD, none where it is empty; this
 * process does without.
 *
 * Why a process of its own: the kernel takes the size of a process before exec into its peak, so a program that a
 * large interpreter starts would never seem smaller than the interpreter. This one is a megabyte.
 *
 * SIGTERM, SIGINT and SIGQUIT are passed on to the program, which is killed when this process ends. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, EXIT_BROKEN = 3, EXIT_NOT_STARTED = 127 };

static pid_t program; /* constant once signals are unblocked */

static void pass_on(int number) { kill(program, number); }

static void fail(const char *what) {
    fprintf(stderr, "launch: %s: %s\n", what, strerror(errno));
    exit(EXIT_BROKEN);
}

static void start_program(const char *preload, char **command, const sigset_t *signals) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (preload[0] == '\0' ? unsetenv("LD_PRELOAD") : setenv("LD_PRELOAD", preload, 1)) {
        _exit(EXIT_NOT_STARTED);
    }
    sigprocmask(SIG_SETMASK, signals, NULL);
    execvp(command[0], command);
    fprintf(stderr, "launch: %s cannot be started: %s\n", command[0], strerror(errno));
    _exit(EXIT_NOT_STARTED);
}

static long long nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long long microseconds(struct timeval time) { return time.tv_sec * 1000000LL + time.tv_usec; }

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: launch FD PRELOAD PROGRAM [ARGUMENT...]\n");
        return EXIT_USAGE;
    }
    int report = atoi(argv[1]);
    if (fcntl(report, F_SETFD, FD_CLOEXEC) != 0) {
        fail("the descriptor of the report");
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);

    long long started = nanoseconds();
    program = fork();
    if (program < 0) {
        fail("fork");
    }
    if (program == 0) {
        start_program(argv[2], argv + 3, &before);
    }
    struct sigaction action = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGQUIT, &action, NULL);
    sigprocmask(SIG_SETMASK, &before, NULL);

    int status;
    struct rusage used;
    while (wait4(program, &status, 0, &used) != program) {
        if (errno != EINTR) {
            fail("wait4");
        }
    }
    long long wall = nanoseconds() - started;
    if (dprintf(report, "%d %lld %lld %lld %ld %ld\n", status, wall, microseconds(used.ru_utime),
                microseconds(used.ru_stime), used.ru_maxrss, used.ru_minflt) < 0) {
        fail("the report");
    }
    return 0;
}
