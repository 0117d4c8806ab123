/* SPDX-License-Identifier: MIT */
/* 1,000 blocks that something reaches and 500 that nothing does, in processes that make it hard to look; for lost_hard_test.py.
 *
 *     lost_hard busy      other threads allocate, free, map and unmap while the process ends
 *     lost_hard sparse    has 20 GiB of shared memory, of which one page is touched, and a block that only that page leads to
 *     lost_hard unread    a filter refuses to read a file at a place, as /proc/self/mem is
 *     lost_hard unopened  a filter refuses to open files that are there, as if there were no /proc
 *     lost_hard full      has no descriptor left
 *     lost_hard nearly    has one descriptor left
 *     lost_hard stack     ends in a handler on an alternate stack of 8 KiB
 *     lost_hard many      200,000 more that are reached; waits for the end of standard input
 *     lost_hard stay      likewise, and a filter refuses exit_group
 *     lost_hard guarded   has two stacks in blocks, each with a guard page and another block that only the stack leads to; waits likewise
 *
 * Main's callees run on one part of the stack, which is wiped. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REACHED 1000
#define LOST 500
#define MANY 200000
#define SPARSE_BYTES ((size_t)20 << 30)
#define BUSY_THREADS 3
#define BUSY_BYTES ((size_t)16 << 20)
#define STACK_BYTES 8192
#define GUARDED 2

void *reached[REACHED];
void **reached_many;
void *guarded[GUARDED];
static volatile bool is_busy[BUSY_THREADS];

static void *made(size_t size) {
    void *p = malloc(size);
    if (p == NULL) abort();
    memset(p, 0, size);
    return p;
}

static void make_all(void) {
    for (unsigned i = 0; i < REACHED; i++) reached[i] = made(100 + i);
    for (unsigned i = 0; i < LOST; i++) {
        void *volatile lost = made(40 + i % 3 * 1000);
        (void)lost;
    }
}

static void make_many(void) {
    reached_many = made(MANY * sizeof *reached_many);
    for (unsigned i = 0; i < MANY; i++) reached_many[i] = made(48);
}

static void wipe(void) {
    volatile char stack[32768];
    memset((char *)stack, 0, sizeof stack);
}

/* Its addresses are in mappings that are gone a moment later. It uses no slab that a lost block lies in: malloc leaves the address of
 * a slab on the stack, which may be that of its first block. */
static void *be_busy(void *argument) {
    for (unsigned i = 0;; i++) {
        char *memory = mmap(NULL, BUSY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) abort();
        for (size_t at = 0; at < BUSY_BYTES; at += 65536) memory[at] = 1;
        void *huge = malloc((size_t)3 << 20), *large = malloc(100000 + i % 7 * 30000), *small = malloc(100 + i % 900);
        memset(huge, 1, (size_t)3 << 20);
        memset(large, 1, 100000);
        free(small);
        free(large);
        free(huge);
        munmap(memory, BUSY_BYTES);
        if (i == 3) *(volatile bool *)argument = true;
    }
    return NULL;
}

static void start_busy(void) {
    for (unsigned i = 0; i < BUSY_THREADS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, be_busy, (void *)&is_busy[i]) != 0) abort();
        while (!is_busy[i]) usleep(1000);
    }
}

static void make_sparse(void) {
    char *memory = mmap(NULL, SPARSE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) abort();
    *(void **)(void *)(memory + SPARSE_BYTES / 2 + 64) = made(777);
}

/* As coroutines have them. A small stack is read in one go, a large one after a look at its pages. */
static void make_guarded(void) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (unsigned i = 0; i < GUARDED; i++) {
        const size_t size = i == 0 ? 2 * page : 16 * page;
        if (posix_memalign(&guarded[i], page, size) != 0) abort();
        char *stack = guarded[i];
        memset(stack, 0, size);
        *(void **)(void *)(stack + size - 64) = made(777);
        if (mprotect(stack, page, PROT_NONE) != 0) abort();
    }
}

/* From here on, in all threads. */
static void filter(struct sock_filter *steps, unsigned short count) {
    struct sock_fprog program = {.len = count, .filter = steps};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0) {
        _exit(77); /* this machine lets nobody */
    }
}

/* One system call fails. */
static void refuse(unsigned call) {
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    filter(steps, sizeof steps / sizeof *steps);
}

/* A filter sees no path. What is only read is opened without O_CREAT. The processor is a little-endian one. */
static void refuse_to_open(void) {
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_CREAT, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOENT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    filter(steps, sizeof steps / sizeof *steps);
}

/* Of those that a program opens; the library keeps standard error at a higher one. */
static void limit_descriptors(rlim_t most) {
    const struct rlimit limit = {.rlim_cur = most, .rlim_max = most};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) abort();
}

static void end_here(int number) {
    (void)number;
    exit(0);
}

/* Below it lies a page that nobody may touch. */
static void end_on_small_stack(void) {
    char *memory = mmap(NULL, STACK_BYTES + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, 4096, PROT_NONE) != 0) abort();
    const stack_t stack = {.ss_sp = memory + 4096, .ss_size = STACK_BYTES};
    const struct sigaction action = {.sa_handler = end_here, .sa_flags = SA_ONSTACK};
    if (sigaltstack(&stack, NULL) != 0 || sigaction(SIGUSR1, &action, NULL) != 0) abort();
    raise(SIGUSR1);
}

static void wait_for_end(void) {
    char byte;
    (void)!write(STDOUT_FILENO, "ready\n", 6);
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
}

int main(int count, char **arguments) {
    const char *mode = count > 1 ? arguments[1] : "";
    if (strcmp(mode, "stay") == 0) refuse(SYS_exit_group);
    make_all();
    wipe();
    if (strcmp(mode, "many") == 0 || strcmp(mode, "stay") == 0) {
        make_many();
        wait_for_end();
    } else if (strcmp(mode, "guarded") == 0) {
        make_guarded();
        wipe();
        wait_for_end();
    } else if (strcmp(mode, "busy") == 0) {
        start_busy();
    } else if (strcmp(mode, "sparse") == 0) {
        make_sparse();
        wipe();
    } else if (strcmp(mode, "unread") == 0) {
        refuse(SYS_pread64);
    } else if (strcmp(mode, "unopened") == 0) {
        refuse_to_open();
    } else if (strcmp(mode, "full") == 0 || strcmp(mode, "nearly") == 0) {
        limit_descriptors(strcmp(mode, "full") == 0 ? 3 : 4);
    } else if (strcmp(mode, "stack") == 0) {
        end_on_small_stack();
    }
    return 0;
}
