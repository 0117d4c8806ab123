/* SPDX-License-Identifier: MIT */
/* One case a process:
 *
 *     cases OPERATION POINTER SIZE           a call on a pointer, for instance "free interior 100"
 *     cases OPERATION POINTER SIZE thread    the same by another thread than the one that made the pointer
 *     cases CASE SIZE                        any other case, with a size that it may not need
 *     cases --list                           all of them but the controls, a line each
 *
 * Ends with status 0 where nobody caught the wrong call, 2 for arguments that name no case. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/misuse/cases/case.h"

struct call {
    const struct misuse_operation *operation;
    char *p;
    size_t size;
    pthread_barrier_t made; /* p is; of a call in another thread */
};

struct thread_call {
    void (*body)(void *argument);
    void *argument;
};

/* Not stdio, whose buffer would be allocated in between. */
static void say(const char *line, size_t length) {
    if (write(STDOUT_FILENO, line, length) != (ssize_t)length) _exit(4);
}

void misuse_announce(const void *p) {
    char line[64];
    say(line, (size_t)snprintf(line, sizeof line, "wrong call on %p\n", p));
}

void misuse_returned(void) { say("returned\n", strlen("returned\n")); }

static void *thread_main(void *argument) {
    struct thread_call *call = argument;
    call->body(call->argument);
    return NULL;
}

void misuse_in_thread(void (*body)(void *argument), void *argument) {
    struct thread_call call = {body, argument};
    pthread_t thread;
    if (pthread_create(&thread, NULL, thread_main, &call) != 0) _exit(4);
    pthread_join(thread, NULL);
}

size_t misuse_alignment_unlike(const void *p) { return ((uintptr_t)p & -(uintptr_t)p) << 1; }

static void call_now(void *argument) {
    const struct call *call = argument;
    misuse_announce(call->p);
    call->operation->call(call->p, call->size);
    misuse_returned();
}

/* Whoever does not look at once may find it when its memory is used again, or at the end of a thread or of the process. */
static void use_memory(void *argument) {
    enum { BLOCKS = 64 };
    const size_t size = *(const size_t *)argument;
    void *blocks[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++) blocks[i] = malloc(i % 2 == 0 ? size : size / 2);
    for (unsigned i = 0; i < BLOCKS; i++) free(blocks[i]);
}

static void go_on(size_t size) {
    use_memory(&size);
    misuse_in_thread(use_memory, &size);
}

static void list_sized(const char *kind, const char *name, bool sized) {
    printf("%s %s %s\n", kind, sized ? "sized" : "once", name);
}

static void list_cases(const struct misuse_case *cases) {
    for (; cases->name != NULL; cases++) list_sized(cases->full ? "full" : "exact", cases->name, cases->sized);
}

static void list(void) {
    for (const struct misuse_operation *operation = misuse_operations; operation->name != NULL; operation++) {
        for (const struct misuse_pointer *pointer = misuse_pointers; pointer->name != NULL; pointer++) {
            char name[128];
            snprintf(name, sizeof name, "%s %s", operation->name, pointer->name);
            list_sized("call", name, pointer->sized);
        }
    }
    list_cases(misuse_sized_frees);
    list_cases(misuse_accesses);
}

static void *call_once_made(void *argument) {
    struct call *call = argument;
    pthread_barrier_wait(&call->made);
    call_now(call);
    return NULL;
}

/* The thread is there before the pointer: what the system allocates for it could else be where a freed block was, which would
 * make the wrong call a right one, of a block that is not ours. */
static void run_in_thread(struct call *call, const struct misuse_pointer *pointer) {
    pthread_t thread;
    if (pthread_barrier_init(&call->made, NULL, 2) != 0) _exit(4);
    if (pthread_create(&thread, NULL, call_once_made, call) != 0) _exit(4);
    call->p = pointer->make(call->size);
    pthread_barrier_wait(&call->made);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&call->made);
}

static bool run_call(const char *operation, const char *pointer, size_t size, bool in_thread) {
    struct call call = {.operation = misuse_operations, .size = size};
    const struct misuse_pointer *made = misuse_pointers;
    while (call.operation->name != NULL && strcmp(call.operation->name, operation) != 0) call.operation++;
    while (made->name != NULL && strcmp(made->name, pointer) != 0) made++;
    if (call.operation->name == NULL || made->name == NULL) return false;
    if (in_thread) {
        run_in_thread(&call, made);
    } else {
        call.p = made->make(size);
        call_now(&call);
    }
    return true;
}

static bool run_case(const char *name, size_t size) {
    const struct misuse_case *const tables[] = {misuse_sized_frees, misuse_accesses, misuse_controls};
    for (unsigned i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        for (const struct misuse_case *one = tables[i]; one->name != NULL; one++) {
            if (strcmp(one->name, name) != 0) continue;
            one->run(size);
            misuse_returned();
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        list();
        return 0;
    }
    size_t size = 0;
    bool found = false;
    if (argc == 3) {
        size = strtoul(argv[2], NULL, 10);
        found = run_case(argv[1], size);
    } else if (argc == 4 || (argc == 5 && strcmp(argv[4], "thread") == 0)) {
        size = strtoul(argv[3], NULL, 10);
        found = run_call(argv[1], argv[2], size, argc == 5);
    }
    if (!found) {
        fprintf(stderr, "cases: no such case; cases --list names all\n");
        return 2;
    }
    go_on(size);
    return 0;
}
