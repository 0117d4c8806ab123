/* SPDX-License-Identifier: MIT */
/* See child.h. */
#include "tests/preload/life/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/preload/life/life.h"

struct child_place *child_place_new(void) {
    void *place = mmap(NULL, 4 * KIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    LIFE_CHECK(place != MAP_FAILED);
    return place;
}

/* Relaxed: for the reader of a failure. */
void child_at(struct child_place *place, enum child_step step) {
    __atomic_store_n(&place->step, (int)step, __ATOMIC_RELAXED);
}

/* Not by SIGALRM: a child may hang with all signals blocked. */
static bool is_over(pid_t child, int seconds) {
    const int descriptor = (int)syscall(SYS_pidfd_open, child, 0);
    LIFE_CHECK(descriptor >= 0);
    struct pollfd poll_for = {.fd = descriptor, .events = POLLIN};
    int ready;
    do {
        ready = poll(&poll_for, 1, seconds * 1000);
    } while (ready < 0 && errno == EINTR);
    LIFE_CHECK(ready >= 0);
    close(descriptor);
    return ready == 1;
}

static const char *name_of(const struct child_place *place) {
    static const char *const names[] = {
        [CHILD_BORN] = "being born",
        [CHILD_ALLOCATES] = "allocating",
        [CHILD_FREES_ITS_PARENTS_BLOCKS] = "freeing its parent's blocks",
        [CHILD_RUNS_THREADS] = "running threads",
        [CHILD_FORKS] = "forking",
        [CHILD_EXECS] = "starting a program",
        [CHILD_ENDS] = "ending",
    };
    return names[__atomic_load_n(&place->step, __ATOMIC_RELAXED)];
}

void child_expect_ok(pid_t child, const struct child_place *place, int seconds) {
    int status;
    const bool hangs = !is_over(child, seconds);
    if (hangs) {
        kill(child, SIGKILL);
    }
    while (waitpid(child, &status, 0) != child) {
        LIFE_CHECK(errno == EINTR);
    }
    if (hangs) {
        life_fail("child %d hung while %s", (int)child, name_of(place));
    }
    if (WIFSIGNALED(status)) {
        life_fail("child %d was ended by signal %d while %s", (int)child, WTERMSIG(status), name_of(place));
    }
    if (WEXITSTATUS(status) != 0) {
        life_fail("child %d ended with status %d while %s", (int)child, WEXITSTATUS(status), name_of(place));
    }
}
