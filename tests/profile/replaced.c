/* SPDX-License-Identifier: MIT */
/* A plug-in is unloaded, and another loaded in its place, with the same code at the same addresses but a smaller frame. Each is
 * called on a stack that cannot be accessed afterwards; the stack pointer at its call of malloc is the same.
 *
 *     replaced LARGE SMALL      0; 3: the second was not loaded in the first one's place, so that nothing was tried */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#define STACK_BYTES ((size_t)16384)

static ucontext_t outside, inside;
static void (*plugin)(void);

static void call_plugin(void) { plugin(); }

/* Calls it on a stack that begins at `stack` and cannot be accessed before and after. Returns where the plug-in lay. */
static void *call_on_stack(const char *path, char *stack, size_t bytes) {
    void *library = dlopen(path, RTLD_NOW);
    if (library == NULL) abort();
    void *const place = dlsym(library, "plugin");
    *(void **)&plugin = place;
    if (place == NULL || mprotect(stack, bytes, PROT_READ | PROT_WRITE) != 0 || getcontext(&inside) != 0) abort();
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = bytes;
    inside.uc_link = &outside;
    makecontext(&inside, call_plugin, 0);
    if (swapcontext(&outside, &inside) != 0 || mprotect(stack, bytes, PROT_NONE) != 0) abort();
    dlclose(library);
    return place;
}

int main(int argc, char **argv) {
    const size_t more = (size_t)LARGE_FRAME - SMALL_FRAME; /* a multiple of 16, as stacks are aligned */
    if (argc != 3) return 2;
    char *stack = (char *)mmap(NULL, STACK_BYTES + more, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED) return 1;
    const void *large = call_on_stack(argv[1], stack, STACK_BYTES + more);
    return call_on_stack(argv[2], stack, STACK_BYTES) == large ? 0 : 3;
}
