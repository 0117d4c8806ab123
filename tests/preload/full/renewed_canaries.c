/* SPDX-License-Identifier: MIT */
/* Children, one after the other, of a process that overflowed a block: each looks whether the bytes behind another block are those
 * of a process before it, and whether every block that it has from its parent is whole and of the size that was asked for; then
 * it frees the block that was overflowed, which ends it. A line a child. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SMALL = 2000, LARGE = 8, BLOCKS = SMALL + LARGE, CHILDREN = 3, SIZE = 64, BEHIND = 8 };

static char *volatile blocks[BLOCKS];
static char *volatile overflowed, *volatile whole;
static char (*seen)[BEHIND]; /* of the parent, and of each child */

static size_t size_of(unsigned i) {
    static const size_t large[LARGE] = {5000, 32768, 40000, 65528, 300000, 600000, 1 << 20, 5 << 20};
    return i < SMALL ? 1 + i : large[i - SMALL];
}

static unsigned count_wrong(void) {
    unsigned wrong = 0;
    for (unsigned i = 0; i < BLOCKS; i++) {
        char *p = blocks[i];
        wrong += malloc_usable_size(p) != size_of(i);
        if (i % 3 == 1) p = realloc(p, size_of(i) + 100);
        if (i % 3 == 2) p = realloc(p, size_of(i) / 2 + 1);
        wrong += p[0] != (char)i;
        free(p);
    }
    return wrong;
}

static void look(unsigned child) {
    unsigned same = 0;
    memcpy(seen[child], whole + SIZE, BEHIND);
    for (unsigned i = 0; i < child; i++) same += memcmp(seen[i], seen[child], BEHIND) == 0;
    printf("%s, %u wrong\n", same == 0 ? "its own" : "another's", count_wrong());
    fflush(stdout);
    free(overflowed);
    _exit(0);
}

int main(void) {
    seen = mmap(NULL, (CHILDREN + 1) * sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (seen == MAP_FAILED) return 1;
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(size_of(i));
        blocks[i][0] = (char)i;
    }
    whole = malloc(SIZE);
    overflowed = malloc(SIZE);
    overflowed[SIZE] ^= 2;
    memcpy(seen[0], whole + SIZE, BEHIND);
    for (unsigned child = 1; child <= CHILDREN; child++) {
        int status = 0;
        if (fork() == 0) look(child);
        if (wait(&status) < 0 || !WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT) return 1;
    }
    return 0;
}
