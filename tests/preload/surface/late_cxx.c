/* SPDX-License-Identifier: MIT */
/* A C program, in which there is no C++ runtime until it opens a library in C++, argv[1]. */
#define _GNU_SOURCE
#include <link.h>
#include <string.h>

#include "tests/preload/surface/check.h"

static int is_cxx_runtime(struct dl_phdr_info *info, size_t size, void *found) {
    (void)size;
    *(bool *)found |= strstr(info->dlpi_name, "libstdc++") != NULL || strstr(info->dlpi_name, "libc++") != NULL;
    return 0;
}

static bool has_cxx_runtime(void) {
    bool found = false;
    dl_iterate_phdr(is_cxx_runtime, &found);
    return found;
}

int main(int argc, char **argv) {
    (void)argc;
    CHECK(!has_cxx_runtime());
    for (int round = 0; round < 3; round++) {
        void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) {
            printf("%s\n", dlerror());
            return 1;
        }
        CHECK(has_cxx_runtime());
        int (*works)(void);
        *(void **)&works = dlsym(library, "cxx_works");
        int right = works();
        printf("bits %d\n", right);
        CHECK(right == 63);
        CHECK(dlclose(library) == 0);
    }
    return check_done();
}
