/* SPDX-License-Identifier: MIT */
/* Memory that the program mapped itself is freed. */
#include <sys/mman.h>

#include "tests/misuse/misuse.h"

int main(void) {
    void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    hak_free(misuse_of(p));
    hak_thread_flush();
    return 0;
}
