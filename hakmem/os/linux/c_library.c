/* What the loader knows of the program: where the C library is, and how much thread-local storage there is.
 *
 * Written once by os_init, constant afterwards. What is opened later can neither be the C library nor take more of
 * the threads' stacks than glibc keeps for it. Allocates nothing. */
#include <link.h>
#include <string.h>

#include "hakmem/os/linux/linux.h"

struct range {
    uintptr_t start, end;
};

/* libc.so and the loader. */
#define RANGES 2
static struct range ranges[RANGES]; /* constant after init */
static unsigned range_count;        /* constant after init */

size_t linux_thread_local_bytes; /* constant after init */

static bool is_c_library(const char *path) {
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    return strncmp(name, "libc.so", 7) == 0 || strncmp(name, "ld-", 3) == 0;
}

static int look_at(struct dl_phdr_info *module, size_t size, void *unused) {
    struct range range = {UINTPTR_MAX, 0};
    (void)size;
    (void)unused;
    for (unsigned i = 0; i < module->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &module->dlpi_phdr[i];
        const uintptr_t start = module->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_TLS) {
            linux_thread_local_bytes += segment->p_memsz + segment->p_align;
        } else if (segment->p_type == PT_LOAD) {
            range.start = start < range.start ? start : range.start;
            range.end = start + segment->p_memsz > range.end ? start + segment->p_memsz : range.end;
        }
    }
    if (range_count < RANGES && is_c_library(module->dlpi_name)) {
        ranges[range_count++] = range;
    }
    return 0;
}

void os_init(void) { (void)dl_iterate_phdr(look_at, NULL); }

bool os_is_c_library(const void *address) {
    for (unsigned i = 0; i < range_count; i++) {
        if ((uintptr_t)address - ranges[i].start < ranges[i].end - ranges[i].start) {
            return true;
        }
    }
    return range_count == 0;
}
