/* SPDX-License-Identifier: MIT */
/* A reference to cfree as old programs carry it: libc has it for them only, under the version that it had. */
#include <errno.h>

#include "tests/preload/surface/check.h"

extern void old_cfree(void *);
__asm__(".symver old_cfree, cfree@GLIBC_2.2.5");

int main(void) {
    for (size_t size = 0; size < 5000000; size = size * 2 + 1) {
        void *p = check_opaque(malloc(size));
        errno = 4711;
        old_cfree(p);
        CHECK(errno == 4711);
    }
    old_cfree(NULL);
    return check_done();
}
