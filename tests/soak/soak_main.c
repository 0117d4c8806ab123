/* SPDX-License-Identifier: MIT */
/* bazel run //tests/soak -- --minutes=N: the long run under each set of options in turn, each in a process of its own.
 *
 * Exit status 0: nothing was wrong; 1: something was, and stands on standard error; 2: wrong arguments. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/soak/soak.h"

#define USAGE 2
#define SET_VARIABLES 2

/* Memory that waits, that does not, that nobody but slow paths gives back, and a thread that reads all the time. */
static const char *const sets[][SET_VARIABLES][2] = {
    {{NULL}},
    {{"HAKMEM_PURGE_DELAY_MS", "0"}},
    {{"HAKMEM_PURGE_DELAY_MS", "-1"}},
    {{"HAKMEM_PURGE_THREAD", "0"}},
    {{"HAKMEM_PUBLISH", "1"}, {"HAKMEM_THP", "never"}},
};
#define SETS (sizeof sets / sizeof *sets)

static int usage(const char *wrong) {
    fprintf(stderr,
            "soak: %s; --minutes=N is the time of all together (more than 0), --seed=N and --operations=N (of a thread "
            "in a phase) are "
            "whole numbers from 1 on, --judge-speed is for a machine that does nothing else\n",
            wrong);
    return USAGE;
}

/* false where it is no number from `least` on. */
static bool parse(const char *text, double least, double *value) {
    char *end = NULL;
    errno = 0;
    *value = strtod(text, &end);
    return end != text && *end == '\0' && errno == 0 && *value >= least && *value <= 1e9;
}

static int run_set(const struct soak_options *options) {
    const struct soak_result result = soak_run(options);
    printf("%u cycles, %u pauses, %u children, %" PRIu64
           " allocations: resident grew by %.0f KiB, a pair of calls by %.1f %%, "
           "%u failures\n",
           result.cycles, result.pauses, result.children, result.allocations, result.resident_growth / 1024,
           100 * result.speed_growth, result.failures);
    return result.failures == 0 ? 0 : 1;
}

/* This program again, since options are read when a process starts. */
static int start_set(unsigned index, int argc, char **argv) {
    const pid_t child = fork();
    if (child < 0) {
        perror("soak: fork");
        return 1;
    }
    if (child == 0) {
        char *arguments[16];
        for (unsigned i = 0; i < SET_VARIABLES && sets[index][i][0] != NULL; i++)
            setenv(sets[index][i][0], sets[index][i][1], 1);
        for (int i = 0; i < argc; i++) arguments[i] = argv[i];
        arguments[argc] = "--one";
        arguments[argc + 1] = NULL;
        execv("/proc/self/exe", arguments);
        perror("soak: exec");
        _exit(1);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (WIFSIGNALED(status)) fprintf(stderr, "soak: ended by signal %d\n", WTERMSIG(status));
    return status == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
    double minutes = 1, seed = 1, operations = 40000;
    bool one = false, judges_speed = false;
    if (argc > 8) return usage("too many arguments");
    for (int i = 1; i < argc; i++) {
        bool understood = false;
        if (strncmp(argv[i], "--minutes=", 10) == 0) understood = parse(argv[i] + 10, 0.001, &minutes);
        if (strncmp(argv[i], "--seed=", 7) == 0) understood = parse(argv[i] + 7, 1, &seed);
        if (strncmp(argv[i], "--operations=", 13) == 0) understood = parse(argv[i] + 13, 1, &operations);
        if (strcmp(argv[i], "--judge-speed") == 0) understood = judges_speed = true;
        if (strcmp(argv[i], "--one") == 0) understood = one = true;
        if (!understood) {
            char wrong[200];
            snprintf(wrong, sizeof wrong, "cannot understand %.150s", argv[i]);
            return usage(wrong);
        }
    }
    const struct soak_options options = {
        .seed = (uint64_t)seed,
        .minutes = minutes / (double)SETS,
        .operations = (unsigned long)operations,
        .says_progress = true,
        .judges_speed = judges_speed,
        .judges_resident = true,
    };
    if (one) return run_set(&options);
    int status = 0;
    for (unsigned i = 0; i < SETS; i++) {
        printf("== %s\n", sets[i][0][0] == NULL ? "no options" : sets[i][0][0]);
        for (unsigned j = 0; j < SET_VARIABLES && sets[i][j][0] != NULL; j++)
            printf("   %s=%s\n", sets[i][j][0], sets[i][j][1]);
        fflush(stdout);
        status |= start_set(i, argc, argv);
    }
    return status;
}
