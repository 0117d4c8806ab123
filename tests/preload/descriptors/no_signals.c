/* SPDX-License-Identifier: MIT */
/* Runs itself where files may not grow, or where nobody reads its standard error, with what the allocator writes asked for
 * in the environment. Prints how that ended, and the number of warnings.
 *
 *     no_signals size      RLIMIT_FSIZE is 0
 *     no_signals reader    standard error is a pipe without a reader, and a block is freed twice */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The page that is published comes after half a second, or later: the parent says when it has read that it does not. */
static int allocate_under_limit(void) {
    const struct rlimit none = {0, 0};
    char byte;
    setrlimit(RLIMIT_FSIZE, &none);
    for (int i = 0; i < 400; i++) memset(malloc(20000), 1, 20000);
    if (getenv("HAKMEM_PUBLISH") != NULL) return read(STDIN_FILENO, &byte, 1) != 0;
    return 0;
}

static int free_twice(void) {
    void *volatile p = malloc(64);
    free(p);
    free(p);
    return 0;
}

/* Closes `go_on` at the first. */
static int count_warnings(FILE *from, int go_on) {
    char line[4096];
    int count = 0;
    while (fgets(line, sizeof line, from) != NULL) {
        if (strstr(line, "hakmem: warning: ") == NULL || strstr(line, "HAKMEM_PROBE") != NULL) continue;
        if (count++ == 0) close(go_on);
    }
    return count;
}

int main(int argc, char **argv) {
    int ends[2], turn[2], status = -1, warnings = 0;
    if (argc < 2) return 2;
    if (argc > 2) return strcmp(argv[1], "size") == 0 ? allocate_under_limit() : free_twice();
    if (pipe(ends) != 0 || pipe(turn) != 0) return 2;
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGPIPE, SIG_DFL);
        signal(SIGXFSZ, SIG_DFL);
        dup2(turn[0], STDIN_FILENO);
        dup2(ends[1], STDERR_FILENO);
        for (int i = 0; i < 2; i++) {
            close(turn[i]);
            close(ends[i]);
        }
        execl(argv[0], argv[0], argv[1], "child", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    if (strcmp(argv[1], "reader") == 0) {
        close(ends[0]);
    } else {
        warnings = count_warnings(fdopen(ends[0], "r"), turn[1]);
    }
    waitpid(child, &status, 0);
    printf("status %d, signal %d, warnings %d\n", WEXITSTATUS(status), WTERMSIG(status), warnings);
    return 0;
}
