/* SPDX-License-Identifier: MIT */
/* SIZE: frees three blocks of 64 bytes by what is told it. By name, since the C library has none of these. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments) {
    const size_t told = (size_t)strtoull(arguments[count - 1], NULL, 0);
    void (*deletes)(void *, size_t) = (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "_ZdlPvm");
    void *(*makes)(size_t) = (void *(*)(size_t))dlsym(RTLD_DEFAULT, "_Znwm");
    void (*frees)(void *, size_t) = (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");
    void (*frees_aligned)(void *, size_t, size_t) =
        (void (*)(void *, size_t, size_t))dlsym(RTLD_DEFAULT, "free_aligned_sized");
    if (deletes == NULL || makes == NULL || frees == NULL || frees_aligned == NULL) return 2;
    deletes(makes(64), told);
    frees(malloc(64), told);
    frees_aligned(aligned_alloc(64, 64), 64, told);
    puts("freed");
    return 0;
}
