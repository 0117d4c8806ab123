/* SPDX-License-Identifier: MIT */
/* A block is freed, others after it, then the block again. */
#include "tests/misuse/misuse.h"

/* So few that none of the largest goes back to the system meanwhile. */
enum { OTHERS = 4 };

int main(int argc, char **argv) {
    (void)argc;
    void *p = misuse_of(hak_alloc(misuse_size(argv)));
    void *others[OTHERS];
    for (int i = 0; i < OTHERS; i++) others[i] = hak_alloc(misuse_size(argv));
    hak_free(p);
    for (int i = 0; i < OTHERS; i++) hak_free(others[i]);
    hak_free(p);
    hak_thread_flush();
    return 0;
}
