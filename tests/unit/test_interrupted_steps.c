/* SPDX-License-Identifier: MIT */
/* Debug builds: whatever instruction of the allocator a signal handler interrupts, it is stopped if it calls the allocator, or its calls do no
 * harm.
 *
 * The process runs by single steps. At an instruction where the check for interrupted calls would let a handler pass, a copy of the
 * process calls the allocator from the handler, goes on from there, and looks at all its blocks. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "hakmem/flags/flags.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/size_class/size_class.h"
#include "tests/harness/harness.h"

/* Not under sanitizers: their copies of a process take milliseconds, and ThreadSanitizer moves signals. */
#if defined(__x86_64__) && !defined(HAK_TEST_TSAN) && !defined(HAK_TEST_ASAN)

#include "tests/unit/trap_flag.h"

#define BLOCKS 400 /* fill and empty two magazines and the stash of every class here */
#define BURST 300
#define DEADLINE_SECONDS 120
#define PLACES 65536 /* instructions that are told apart, a power of 2 */

static size_t size;
static char *blocks[BLOCKS], *burst[BURST];
static volatile bool is_copy;
static uintptr_t places[PLACES]; /* where copies were made, hashed */
static unsigned copies, inside, harmed;

static bool holds(const char *p, char byte) {
    for (size_t i = 0; i < size && i < 64; i++) {
        if (p[i] != byte) return false;
    }
    return true;
}

static char *filled(char byte) {
    char *p = hak_alloc(size);
    if (p == NULL) _exit(2);
    memset(p, byte, size < 64 ? size : 64);
    return p;
}

static void allocate_a_burst(void) {
    for (unsigned i = 0; i < BURST; i++) burst[i] = filled((char)i);
    for (unsigned i = 0; i < BURST; i += 2) hak_free(burst[i]);
}

static void step(int signal, siginfo_t *info, void *interrupted) {
    greg_t *registers = ((ucontext_t *)interrupted)->uc_mcontext.gregs;
    const uintptr_t address = (uintptr_t)registers[REG_RIP];
    size_t i = address % PLACES;
    int status = 0;
    (void)signal;
    (void)info;
    if (!hak_thread_is_outside()) {
        inside++;
        return;
    }
    if (harmed != 0) return; /* one report is enough */
    while (places[i] != 0 && places[i] != address) i = (i + 1) % PLACES;
    const bool is_known = places[i] == address;
    places[i] = address;
    if (is_known) return;
    const long pid = syscall(SYS_fork);
    if (pid == 0) {
        is_copy = true;
        alarm(DEADLINE_SECONDS); /* it may wait for a lock that it holds itself */
        registers[REG_EFL] &= ~TRAP_FLAG;
        allocate_a_burst();
        return;
    }
    while (waitpid((pid_t)pid, &status, 0) < 0 && errno == EINTR) continue;
    copies++;
    harmed += status != 0;
}

static void look_at(char *p, char byte) {
    if (!holds(p, byte)) _exit(3);
}

/* The copy's last act: nobody else has the blocks that it and its handler hold. */
static void look_at_the_burst(void) {
    for (unsigned i = 1; i < BURST; i += 2) look_at(burst[i], (char)i);
    for (unsigned i = 0; i < BURST; i += 2) burst[i] = filled((char)i);
    for (unsigned i = 0; i < BURST; i++) look_at(burst[i], (char)i);
    for (unsigned i = 0; i < BURST; i++) hak_free(burst[i]);
}

/* Whether to step through a call: if it exchanges, or is the first of its kind. Noted by a copy that makes the same calls before. */
static bool *is_of_interest;

static void note_interest(unsigned call, uint64_t exchanges_before) {
    if (hak_self->exchanges != exchanges_before || call == 0 || call == BLOCKS) is_of_interest[call] = true;
}

/* One round of allocations, then of frees. `steps`: by single steps where it is of interest; else notes where. */
static void run(unsigned count, bool steps) {
    uint64_t before = 0;
    for (unsigned i = 0; i < count; i++) {
        before = hak_self->exchanges;
        set_trap_flag(steps && is_of_interest[i]);
        blocks[i] = hak_alloc(size);
        set_trap_flag(false);
        if (!steps) note_interest(i, before);
        if (blocks[i] == NULL) _exit(2);
        memset(blocks[i], (char)i, size < 64 ? size : 64);
        if (is_copy) count = i + 1;
    }
    for (unsigned i = 0; i < count; i++) {
        look_at(blocks[i], (char)i);
        before = hak_self->exchanges;
        set_trap_flag(steps && !is_copy && is_of_interest[BLOCKS + i]);
        hak_free(blocks[i]);
        set_trap_flag(false);
        if (!steps) note_interest(BLOCKS + i, before);
    }
    if (is_copy) {
        look_at_the_burst();
        _exit(0);
    }
}

static void interrupt_everywhere(void) {
    struct sigaction action = {.sa_sigaction = step, .sa_flags = SA_SIGINFO};
    const unsigned count = size > HAK_TINY_MAX ? 8 : BLOCKS;
    is_of_interest = mmap(NULL, 2 * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    HAK_ASSERT_TRUE(is_of_interest != MAP_FAILED && sigaction(SIGTRAP, &action, NULL) == 0);
    for (unsigned round = 0; round < 2; round++) { /* the first makes slabs, the second finds them */
        memset(is_of_interest, 0, 2 * BLOCKS);
        const long pid = syscall(SYS_fork); /* without the handlers of fork, which would change the state */
        if (pid == 0) {
            run(count, false);
            _exit(0);
        }
        int status = 1;
        HAK_EXPECT_EQ(waitpid((pid_t)pid, &status, 0), pid);
        HAK_EXPECT_EQ(status, 0);
        run(count, true);
    }
    HAK_EXPECT_GT(copies, 100u);
    HAK_EXPECT_GT(inside, 1000u);
    HAK_EXPECT_EQ(harmed, 0u);
}

HAK_TEST(Interrupted, AtEveryStep) {
    static const size_t sizes[] = {100, 20000, 3000000};
    if (!HAK_DEBUG) HAK_SKIP("no assertions");
    hak_free(hak_alloc(1)); /* the thread has its record */
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size = sizes[i];
        HAK_EXPECT_EXIT_OK(interrupt_everywhere());
    }
}

#endif
