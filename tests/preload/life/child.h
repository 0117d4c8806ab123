/* SPDX-License-Identifier: MIT */
/* Children that must come to their end in time: what the programs that fork share. */
#ifndef TESTS_PRELOAD_LIFE_CHILD_H
#define TESTS_PRELOAD_LIFE_CHILD_H

#include <sys/types.h>

/* Where a child is: shown where it does not end as it should. One process at a time. */
enum child_step {
    CHILD_BORN,
    CHILD_ALLOCATES,
    CHILD_FREES_ITS_PARENTS_BLOCKS,
    CHILD_RUNS_THREADS,
    CHILD_FORKS,
    CHILD_EXECS,
    CHILD_ENDS,
};

/* Memory that children share with their parents, for one count of steps. */
struct child_place {
    int step; /* atomic */
};

/* Called once, before the first fork. */
struct child_place *child_place_new(void);

void child_at(struct child_place *place, enum child_step step);

/* Waits for the child to end with status 0. Where it is still there after `seconds` it is killed. A child that waits
 * for a child of its own gives it less time than it has itself, or it would leave it behind. */
void child_expect_ok(pid_t child, const struct child_place *place, int seconds);

#endif
