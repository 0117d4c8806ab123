/* SPDX-License-Identifier: MIT */
/* A program with known calls, for the recorder's tests: steps NAME makes the calls of that name between two blocks of
 * MARK bytes, so that what the C library allocates for itself does not matter. Nothing here goes through stdio. */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define MARK 1234567

/* What the compiler cannot see through, so that no call is folded away or found wrong. */
static void *volatile kept;
static volatile size_t too_much = SIZE_MAX / 4, no_power_of_two = 24;

static void *keep(void *p) {
    kept = p;
    return kept;
}

/* Called through pointers, so that the compiler does not count a block as freed by a call that has to fail. */
static void *(*volatile resize)(void *, size_t) = realloc;
static void *(*volatile resize_array)(void *, size_t, size_t) = reallocarray;

/* A realloc that fails leaves the old block. */
static void expect_failure(const void *result) {
    if (result != NULL) {
        _exit(EXIT_FAILURE);
    }
}

static void mark(void) { free(keep(malloc(MARK))); }

static void basic(void) {
    void *a = keep(malloc(10)), *b = keep(calloc(3, 7)), *c = keep(malloc(0));
    free(b);
    free(NULL);
    free(a);
    free(c);
}

static void reallocs(void) {
    void *a = keep(realloc(NULL, 40));
    a = keep(realloc(a, 4000));
    expect_failure(resize(a, too_much));
    a = keep(reallocarray(a, 30, 100));
    expect_failure(resize_array(a, too_much, 100));
    void *b = keep(malloc(5));
    kept = realloc(b, 0);
    free(a);
}

static void aligned(void) {
    void *p = NULL;
    free(keep(memalign(64, 100)));
    free(keep(aligned_alloc(128, 256)));
    if (posix_memalign(&p, 4096, 50) == 0) {
        free(keep(p));
    }
    free(keep(valloc(70)));
    free(keep(pvalloc(80)));
    free(keep(memalign(no_power_of_two, 10)));
}

static void failures(void) {
    void *p;
    keep(malloc(too_much));
    keep(calloc(too_much, 100));
    keep(aligned_alloc(64, too_much));
    if (posix_memalign(&p, 3, 20) == 0) {
        _exit(EXIT_FAILURE);
    }
}

/* Blocks of the C library's own functions count as well. */
static void libc_calls(void) { free(keep(strdup("twelve bytes"))); }

static void *free_it(void *p) {
    free(p);
    return keep(malloc(33));
}

/* One block goes to another thread, one comes back. */
static void threads(void) {
    pthread_t thread;
    void *back;
    if (pthread_create(&thread, NULL, free_it, keep(malloc(22))) != 0 || pthread_join(thread, &back) != 0) {
        _exit(EXIT_FAILURE);
    }
    free(back);
}

static void wait_for(pid_t child) {
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        _exit(EXIT_FAILURE);
    }
}

/* The child frees a block of the parent's and makes one of its own; the parent's block stays the parent's. */
static void forks(void) {
    void *p = keep(malloc(44));
    pid_t child = fork();
    if (child == 0) {
        mark();
        free(p);
        free(keep(malloc(55)));
        mark();
        _exit(EXIT_SUCCESS);
    }
    wait_for(child);
    free(p);
}

/* A fork that the C library knows nothing of. */
static void raw_fork(void) {
    void *p = keep(malloc(44));
    pid_t child = (pid_t)syscall(SYS_fork);
    if (child == 0) {
        free(keep(malloc(55)));
        _exit(EXIT_SUCCESS);
    }
    wait_for(child);
    free(p);
}

/* The child borrows this process's memory and ends by _exit. */
static void vforks(void) {
    pid_t child = vfork();
    if (child == 0) {
        _exit(EXIT_SUCCESS);
    }
    wait_for(child);
    free(keep(malloc(66)));
}

static void failed_exec(void) {
    free(keep(malloc(77)));
    execl("/nonexistent", "nonexistent", (char *)NULL);
    free(keep(malloc(88)));
}

static void leave(int signal) {
    (void)signal;
    _exit(EXIT_SUCCESS);
}

/* A block freed by a name that the recorder does not have: the same address comes again. */
extern void __libc_free(void *p);
static void unseen(void) {
    void *p = keep(malloc(99));
    __libc_free(p);
    free(keep(malloc(98)));
}

static void close_all(void) {
    closefrom(3);
    free(keep(malloc(11)));
}

static const struct {
    const char *name;
    void (*make)(void);
} known[] = {
    {"basic", basic},       {"reallocs", reallocs},       {"aligned", aligned},
    {"failures", failures}, {"libc", libc_calls},         {"threads", threads},
    {"forks", forks},       {"raw_fork", raw_fork},       {"vforks", vforks},
    {"unseen", unseen},     {"failed_exec", failed_exec}, {"close_all", close_all},
};

/* A signal ends the process somewhere in its calls, or in the recorder's part of them, after some of its own time. */
static void interrupted(void) {
    const struct itimerval soon = {.it_value = {.tv_usec = 1000 + getpid() % 20000}};
    signal(SIGPROF, leave);
    setitimer(ITIMER_PROF, &soon, NULL);
    for (;;) {
        free(keep(malloc(1 + (size_t)getpid() % 100)));
    }
}

/* The same behind so many of the recorder's instructions in an allocation, by the processor's single steps. */
#ifdef __x86_64__
static unsigned long instructions_left;
static const void *recorder; /* where its file is mapped */

static void leave_when_due(int signal, siginfo_t *info, void *interrupted) {
    const greg_t at = ((const ucontext_t *)interrupted)->uc_mcontext.gregs[REG_RIP];
    struct dl_find_object found;
    (void)signal;
    (void)info;
    if (_dl_find_object((void *)(uintptr_t)at, &found) == 0 && found.dlfo_map_start == recorder &&
        instructions_left-- == 0) {
        _exit(EXIT_SUCCESS);
    }
}

static void stepped(const char *instructions) {
    struct sigaction action = {.sa_sigaction = leave_when_due, .sa_flags = SA_SIGINFO};
    struct dl_find_object found;
    if (_dl_find_object(dlsym(RTLD_DEFAULT, "malloc"), &found) != 0 || sigaction(SIGTRAP, &action, NULL) != 0) {
        _exit(EXIT_FAILURE);
    }
    recorder = found.dlfo_map_start;
    instructions_left = strtoul(instructions, NULL, 10);
    /* TF of EFLAGS, bit 8; what lies below the stack pointer is the compiler's. */
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n pushfq\n orq $0x100, (%%rsp)\n popfq\n leaq 128(%%rsp), %%rsp" ::
                         : "memory");
    keep(malloc(100));
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n pushfq\n andq $-0x101, (%%rsp)\n popfq\n leaq 128(%%rsp), %%rsp" ::
                         : "memory");
    _exit(3); /* there are fewer */
}
#else
static void stepped(const char *instructions) {
    (void)instructions;
    _exit(3);
}
#endif

/* The ends of a program. */
static void end(const char *how, char **argv) {
    if (strcmp(how, "_exit") == 0) {
        _exit(EXIT_SUCCESS);
    } else if (strcmp(how, "_Exit") == 0) {
        _Exit(EXIT_SUCCESS);
    } else if (strcmp(how, "quick_exit") == 0) {
        quick_exit(EXIT_SUCCESS);
    } else if (strcmp(how, "handler") == 0) {
        signal(SIGTERM, leave);
        raise(SIGTERM);
    } else if (strcmp(how, "interrupted") == 0) {
        interrupted();
    } else if (strcmp(how, "stepped") == 0) {
        stepped(argv[3]);
    } else if (strcmp(how, "kill") == 0) {
        raise(SIGKILL);
    } else if (strcmp(how, "abort") == 0) {
        abort();
    } else if (strcmp(how, "exec") == 0) {
        execl(argv[0], argv[0], "basic", (char *)NULL);
    } else if (strcmp(how, "pthread_exit") == 0) {
        pthread_exit(NULL);
    } else if (strcmp(how, "exit") != 0) {
        _exit(EXIT_FAILURE);
    }
}

int main(int argc, char **argv) {
    if (argc < 2) {
        return EXIT_SUCCESS; /* not one call */
    }
    mark();
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].name, argv[1]) == 0) {
            known[i].make();
        }
    }
    mark();
    if (argc > 2) {
        end(argv[2], argv);
    }
    return EXIT_SUCCESS;
}
