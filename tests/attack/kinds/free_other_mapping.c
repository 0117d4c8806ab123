/* SPDX-License-Identifier: MIT */
/* Memory of mmap is freed, behind a header that glibc takes for that of a chunk. */
#include "tests/attack/attack.h"

#include <sys/mman.h>

int main(void) {
    uint64_t *const fake = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    attack_require(fake != MAP_FAILED);
    fake[1] = 0x71;
    fake[15] = 0x71;
    free(malloc(100));
    attack_begin();
    free(fake + 2);
    attack_over();
    for (unsigned i = 0; i < 5000; i++) {
        if (malloc(100) == fake + 2) attack_gained("malloc returns a mapping of the program");
    }
    attack_end(false, "");
}
