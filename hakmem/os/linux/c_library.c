/* SPDX-License-Identifier: MIT */
/* Facts from the loader: where the C library and this library are, the C library's own thread functions, and the size
 * of thread-local storage.
 *
 * hak_os_init writes them once; they are constant afterwards. A library opened later cannot be the C library, and its
 * thread-local storage takes no more of a thread's stack than glibc sets aside. Allocates nothing. */
#include <link.h>
#include <string.h>

#include "hakmem/os/linux/linux.h"

struct range {
    uintptr_t start, end;
};

/* libc.so, the loader, and this library. */
#define RANGES 3
static struct range ranges[RANGES]; /* constant after init */
static unsigned range_count;        /* constant after init */
static bool is_known;               /* constant after init; one of them is the C library's */

size_t hak_linux_thread_local_bytes; /* constant after init */
bool hak_linux_is_with_program;      /* constant after init */

struct hak_linux_threads hak_linux_threads = {pthread_create, pthread_join}; /* constant after init */

static bool is_c_library(const char *path) {
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    return strncmp(name, "libc.so", 7) == 0 || strncmp(name, "ld-", 3) == 0;
}

/* Both or none: a thread is joined by the library that started it. The sanitizers have to see each thread. */
static void take_functions(const struct dl_phdr_info *module, const void *dynamic) {
    if (dynamic == NULL || HAK_THREAD_SANITIZER || HAK_ADDRESS_SANITIZER) {
        return;
    }
    void *create = hak_linux_elf_function(module->dlpi_addr, dynamic, "pthread_create");
    void *join = hak_linux_elf_function(module->dlpi_addr, dynamic, "pthread_join");
    if (create != NULL && join != NULL) {
        hak_linux_threads.create = (linux_thread_create *)create;
        hak_linux_threads.join = (linux_thread_join *)join;
    }
}

static int look_at(struct dl_phdr_info *module, size_t size, void *unused) {
    struct range range = {UINTPTR_MAX, 0};
    const void *dynamic = NULL;
    (void)size;
    (void)unused;
    for (unsigned i = 0; i < module->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &module->dlpi_phdr[i];
        const uintptr_t start = module->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_TLS) {
            hak_linux_thread_local_bytes += segment->p_memsz + segment->p_align;
        } else if (segment->p_type == PT_DYNAMIC) {
            dynamic = (const void *)start;
        } else if (segment->p_type == PT_LOAD) {
            range.start = start < range.start ? start : range.start;
            range.end = start + segment->p_memsz > range.end ? start + segment->p_memsz : range.end;
        }
    }
    const bool is_library = is_c_library(module->dlpi_name);
    /* The program alone has no name. */
    hak_linux_is_with_program |= module->dlpi_name[0] == '\0';
    /* Where hakmem is a part of it, its calls of itself cannot be told from the program's. */
    const bool is_own = module->dlpi_name[0] != '\0' && (uintptr_t)&is_known - range.start < range.end - range.start;
    if (range_count < RANGES && (is_library || is_own)) {
        ranges[range_count++] = range;
    }
    if (is_library) {
        is_known = true;
        take_functions(module, dynamic);
    }
    return 0;
}

void hak_os_init(void) {
    (void)dl_iterate_phdr(look_at, NULL);
    hak_linux_purge_init();
}

bool hak_os_knows_c_library(void) { return is_known; }

bool hak_os_is_c_library(const void *address) {
    for (unsigned i = 0; i < range_count; i++) {
        if ((uintptr_t)address - ranges[i].start < ranges[i].end - ranges[i].start) {
            return true;
        }
    }
    return !is_known;
}
