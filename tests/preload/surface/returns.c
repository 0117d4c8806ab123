/* SPDX-License-Identifier: MIT */
/* Every return of the library goes to where the call came from, which a processor with shadow stacks requires.
 *
 * The allocator's functions are called by single steps, whose signal handler keeps a shadow stack as such a processor does: a call puts
 * the address there that it pushes, and a return takes it away again. With the argument "wrong" the program itself returns once to
 * where no call came from. */
#define _GNU_SOURCE
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "tests/preload/surface/check.h"

#ifdef __x86_64__

#include "tests/unit/trap_flag.h"

#define BLOCKS 70
#define DEPTH_MAX 256

enum kind { OTHER, CALL, RETURN };

static uintptr_t shadow_stack[DEPTH_MAX];
static unsigned depth, returns, wrong_returns;
static bool was_call; /* the instruction before */

/* Of the instruction. Prefixes aside a compiler makes calls by E8 and FF /2, and returns by C3. */
static enum kind kind_of(const unsigned char *code) {
    while (*code == 0xf2 || *code == 0xf3 || *code == 0x66 || *code == 0x3e || (*code & 0xf0) == 0x40) code++;
    if (code[0] == 0xe8 || (code[0] == 0xff && ((code[1] >> 3) & 7) == 2)) return CALL;
    return code[0] == 0xc3 || code[0] == 0xc2 ? RETURN : OTHER;
}

/* Before each instruction. */
static void step(int signal_number, siginfo_t *info, void *interrupted) {
    const greg_t *const registers = ((ucontext_t *)interrupted)->uc_mcontext.gregs;
    const uintptr_t on_stack = *(const uintptr_t *)registers[REG_RSP];
    const enum kind kind = kind_of((const unsigned char *)registers[REG_RIP]);
    (void)signal_number;
    (void)info;
    if (was_call && depth < DEPTH_MAX) shadow_stack[depth++] = on_stack;
    was_call = kind == CALL;
    if (kind != RETURN) return;
    returns++;
    if (depth == 0 || shadow_stack[--depth] != on_stack) wrong_returns++;
}

static void allocate_and_free(void) {
    static const size_t sizes[] = {24, 1000, 6000, 70000, 400000, 3000000}; /* of each pool */
    static void *blocks[BLOCKS];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const unsigned count = sizes[i] < 100 ? BLOCKS : 3;
        for (unsigned k = 0; k < count; k++) blocks[k] = check_opaque(malloc(sizes[i]));
        for (unsigned k = 0; k < count; k++) free(blocks[k]);
        void *p = check_opaque(calloc(1, sizes[i] / 1000 + 20));
        p = check_opaque(realloc(p, sizes[i]));
        CHECK(p != NULL && malloc_usable_size(p) >= sizes[i]);
        free(p);
        free(check_opaque(aligned_alloc(4096, sizes[i])));
    }
}

/* The bytes below the stack pointer may be in use. */
static inline __attribute__((always_inline)) void return_elsewhere(void) {
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n leaq 1f(%%rip), %%rax\n pushq %%rax\n ret\n 1: leaq 128(%%rsp), %%rsp"
                     :
                     :
                     : "rax", "memory", "cc");
}

int main(int count, char **arguments) {
    struct sigaction action = {.sa_sigaction = step, .sa_flags = SA_SIGINFO};
    const bool is_wrong = count > 1 && strcmp(arguments[1], "wrong") == 0;
    CHECK(sigaction(SIGTRAP, &action, NULL) == 0);
    CHANGE_FLAGS("orq", TRAP_FLAG); /* in no function that would return */
    if (is_wrong) {
        return_elsewhere();
    } else {
        allocate_and_free();
        (void)malloc_trim(0);
        (void)mallinfo2();
    }
    CHANGE_FLAGS("andq", ~TRAP_FLAG);
    CHECK(is_wrong || returns > 500);
    CHECK(depth == 0);
    CHECK(wrong_returns == is_wrong);
    return check_done();
}

#else

int main(void) {
    CHECK(sizeof(void *) == 8); /* shadow stacks are x86-64's, and nothing is looked at here */
    return check_done();
}

#endif
