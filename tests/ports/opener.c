/* SPDX-License-Identifier: MIT */
/* Opens the library that its argument names, and allocates from it. */
#include <dlfcn.h>
#include <stdio.h>

int main(int count, char **arguments) {
    void *const library = count == 2 ? dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (library == NULL) {
        puts(dlerror());
        return 1;
    }
    void *(*const alloc)(size_t) = (void *(*)(size_t))dlsym(library, "hak_alloc");
    void (*const release)(void *) = (void (*)(void *))dlsym(library, "hak_free");
    for (size_t size = 0; size < 3000; size++) {
        char *const block = alloc(size + 1);
        block[size] = 1;
        release(block);
    }
    puts("ok");
    return 0;
}
