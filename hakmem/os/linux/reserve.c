/* SPDX-License-Identifier: MIT */
/* Reserved address space that comes into use in parts: the flat tables, which are touched sparsely (the page map, and
 * the shadow of the guard builds), and regions.
 *
 * Called once for each table, while the allocator initialises itself, and once for each region; then for each part that
 * comes into use. Thread-safe. Reserved memory cannot be written, so RLIMIT_DATA does not count it. A part comes into
 * use by mmap over it and not by mprotect: the C library never calls mprotect in a single-threaded program, so
 * sandboxes forbid it. The reservation of a table is read-only, because the kernel charges only writable private pages
 * to its commit limit, also under vm.overcommit_memory=2, where it ignores MAP_NORESERVE. An entry read before it is
 * written comes from the kernel's zero page. */
#include "hakmem/os/linux/linux.h"

int hak_linux_no_huge_pages(void *start, size_t size) {
    int error = linux_madvise(start, size, MADV_NOHUGEPAGE);
    /* EINVAL: the kernel was built without huge pages, so there is nothing to keep away. */
    return error == EINVAL ? 0 : error;
}

int hak_os_no_huge_pages(void *start, size_t size) { return hak_linux_no_huge_pages(start, size); }

int hak_os_huge_pages(void *start, size_t size) {
    int error = linux_madvise(start, size, MADV_HUGEPAGE);
    return error == EINVAL ? 0 : error; /* as above */
}

int hak_os_reserve(size_t size, void **out) {
    void *start = NULL;
    int error = linux_mmap(NULL, size, PROT_READ, 0, &start);
    if (error != 0) return error;
    error = linux_madvise(start, size, MADV_DONTDUMP);
    if (error == 0) error = hak_linux_no_huge_pages(start, size);
    if (error != 0) {
        (void)linux_munmap(start, size);
        return error;
    }
    linux_count(maps, 1);
    linux_count(mapped_bytes, size);
    *out = start;
    return 0;
}

int hak_os_reserve_at(void *start, size_t size) {
    void *mapped = NULL;
    return linux_mmap(start, size, PROT_READ, MAP_FIXED, &mapped);
}

int hak_os_reserve_aligned(size_t size, size_t alignment, void **out) {
    int error = hak_linux_reserve_aligned(size, alignment, out);
    if (error != 0) return error;
    linux_count(maps, 1);
    linux_count(mapped_bytes, size);
    return 0;
}

int hak_os_commit(void *start, size_t size) { return hak_linux_commit(start, size); }

int hak_os_uncommit(void *start, size_t size) {
    void *mapped = NULL;
    return linux_mmap(start, size, PROT_NONE, MAP_FIXED, &mapped);
}

/* Places to try before a process is told that there is none. */
#define PLACES_MAX 256

int hak_linux_map_at(void *start, size_t size, int protection) {
    const int error = linux_mmap_there(start, size, protection);
    if (error != 0) return error;
    linux_count(maps, 1);
    linux_count(mapped_bytes, size);
    return 0;
}

int hak_os_map_at(void *start, size_t size) { return hak_linux_map_at(start, size, PROT_READ | PROT_WRITE); }

/* In a range that the kernel has free, however far that lies from where it puts small mappings. EEXIST: it was taken meanwhile */
static int reserve_in_room(size_t size, size_t alignment, void **out) {
    void *room = NULL;
    int error = linux_mmap(NULL, 2 * alignment, PROT_NONE, 0, &room);
    if (error == 0) error = linux_munmap(room, 2 * alignment);
    if (error != 0) return error;
    const uintptr_t place = ((uintptr_t)room + alignment - 1) & ~(uintptr_t)(alignment - 1);
    error = hak_linux_map_at((void *)place, size, PROT_NONE);
    if (error == 0) *out = (void *)place;
    return error;
}

int hak_os_reserve_first(size_t size, size_t alignment, void **out) {
    void *end = NULL;
    /* Below where the kernel puts mappings nowadays. */
    int error = linux_mmap(NULL, size, PROT_NONE, 0, &end);
    if (error == 0) error = linux_munmap(end, size);
    if (error != 0) return error;
    uintptr_t place = ((uintptr_t)end + size) & ~(uintptr_t)(alignment - 1);
    error = EEXIST; /* if nothing below is tried, since only the lowest addresses are free */
    for (unsigned i = 0; i < PLACES_MAX && place > 2 * alignment; i++) {
        place -= alignment;
        error = hak_linux_map_at((void *)place, size, PROT_NONE);
        if (error != EEXIST) break;
    }
    if (error == 0) *out = (void *)place;
    /* A wide mapping may lie there, as a table of address space. */
    if (error == EEXIST) error = reserve_in_room(size, alignment, out);
    return error == EEXIST ? ENOMEM : error;
}

int hak_os_make_writable(void *start, size_t size) { return linux_mprotect(start, size, PROT_READ | PROT_WRITE); }

int hak_os_make_inaccessible(void *start, size_t size) { return linux_mprotect(start, size, PROT_NONE); }
