/* SPDX-License-Identifier: MIT */
/* Blocks that something reaches and blocks that nothing does, for lost_test.py: 9,158 in all, of which 3,050 are lost.
 *
 *     lost            what LeakSanitizer and valgrind find lost, too
 *     lost mapped     and one that memory of mmap leads to, which is none of LeakSanitizer's roots
 *     lost freed      and one that a freed block, its magazine and its free mapping still name
 *     lost thread     ended by another thread, while one waits that has a block on its stack, and one in a register
 *     lost handler    exits in a handler that comes at any moment of malloc and free
 *     lost wait       waits for the end of standard input; 1 where a child came or went that it did not start
 *
 * No function leaves what it made on the stack: main's callees run on one part of it, which is wiped. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct node {
    struct node *next, *other;
    char text[32];
};

struct node *reached_list;
void *reached_table[2000];
__thread void *reached_by_thread;
char *reached_inside;
void **reached_from_mapping;
void *reached_huge;

static struct node *make_list(int count) {
    struct node *first = NULL;
    for (int i = 0; i < count; i++) {
        struct node *node = malloc(sizeof *node);
        node->next = first;
        node->other = node;
        first = node;
    }
    return first;
}

static void make_reached(void) {
    reached_list = make_list(4000);
    for (int i = 0; i < 2000; i++) {
        reached_table[i] = malloc(16 + (size_t)i * 20);
    }
    reached_inside = (char *)malloc(500) + 100;
    reached_huge = malloc((size_t)3 << 20);
    /* Through a block that is huge. */
    for (size_t i = 0; i < 105; i++) {
        memcpy((char *)reached_huge + i * 24000, &(void *){malloc(1000)}, sizeof(void *));
    }
    reached_by_thread = malloc(77);
}

static void lose_each(void) {
    for (size_t i = 0; i < 1992; i++) {
        void *volatile lost = malloc(24 + i % 7 * 500);
        memset(lost, 1, 24);
    }
}

static void lose_list(void) { (void)!make_list(1000)->next; }

static void lose_tree(void) {
    struct node *root = make_list(20);
    for (struct node *node = root; node != NULL; node = node->next) {
        node->other = make_list(1);
    }
}

/* Each of the two is reached from the other only. */
static void lose_ring(void) {
    struct node *ring = make_list(2);
    ring->next->next = ring;
}

/* Each is pointed to by a lost block. */
static void lose_huge(void) {
    for (int i = 0; i < 8; i++) {
        *(void **)malloc(48) = malloc((size_t)2 << 20);
    }
}

static void make_mapped(void) {
    void *memory = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    reached_from_mapping = memory;
    reached_from_mapping[100] = malloc(333);
}

/* The block of 640 bytes was pointed to by blocks that are free again. */
static void lose_behind_freed(void) {
    void *lost = malloc(640);
    void **small = malloc(64), **large = malloc((size_t)5 << 20);
    small[1] = lost;
    large[1] = lost;
    free(small);
    free(large);
}

static void wipe(void) {
    volatile char stack[32768];
    memset((char *)stack, 0, sizeof stack);
}

static int ready[2];

static volatile sig_atomic_t is_over; /* it never is, which the compiler must not know: what comes behind is used */

/* Its frame has the registers that functions keep for their callers. */
static __attribute__((noinline)) void wait_with_registers(void) {
    __builtin_unwind_init();
    (void)!write(ready[1], "", 1);
    while (!is_over) {
        pause();
    }
}

/* malloc leaves the address of a slab on the stack, which may be that of a lost block in it, and is wiped as well. */
static void *hold(void *unused) {
    (void)unused;
    void *volatile on_stack = malloc(700);
    void *in_register = malloc(900);
    wipe();
    __asm__ volatile("" : "+r"(in_register));
    wait_with_registers();
    __asm__ volatile("" : "+r"(in_register));
    return on_stack;
}

static volatile sig_atomic_t children;

static void count_child(int number) {
    (void)number;
    children++;
}

static int wait_for_end(void) {
    char byte;
    signal(SIGCHLD, count_child);
    (void)!write(STDOUT_FILENO, "ready\n", 6);
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    return children != 0 || waitpid(-1, NULL, WNOHANG) != -1;
}

static void *end_process(void *unused) {
    (void)unused;
    exit(0);
}

static void end_by_thread(void) {
    pthread_t holder, ender;
    char byte;
    (void)!pipe(ready);
    pthread_create(&holder, NULL, hold, NULL);
    (void)!read(ready[0], &byte, 1);
    pthread_create(&ender, NULL, end_process, NULL);
    pthread_join(ender, NULL);
}

static void exit_at_once(int number) {
    (void)number;
    exit(0);
}

/* Half of the time within the allocator, where a search would wait for this thread's own locks. */
static void end_by_handler(void) {
    signal(SIGALRM, exit_at_once);
    ualarm(20000, 0);
    for (;;) {
        void *volatile block = malloc(100);
        free(block);
    }
}

int main(int count, char **arguments) {
    static void (*const steps[])(void) = {make_reached, lose_each, lose_list, lose_tree, lose_ring, lose_huge};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        steps[i]();
        wipe();
    }
    const char *more = count > 1 ? arguments[1] : "";
    if (strcmp(more, "mapped") == 0) {
        make_mapped();
    } else if (strcmp(more, "freed") == 0) {
        lose_behind_freed();
    }
    wipe();
    if (strcmp(more, "thread") == 0) {
        end_by_thread();
    } else if (strcmp(more, "handler") == 0) {
        end_by_handler();
    }
    return strcmp(more, "wait") == 0 ? wait_for_end() : 0;
}
