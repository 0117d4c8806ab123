/* SPDX-License-Identifier: MIT */
/* Mappings of zeroed memory at a multiple of a large alignment.
 *
 * Called for regions, large spans, huge blocks and metadata. Thread-safe; takes no lock. The kernel aligns to pages
 * only, so three ways are tried in this order:
 *
 * 1. map next to the last mapping: one call, and aligned as long as nothing else is mapped there;
 * 2. map at the next lower multiple of the address that the kernel would choose, which is usually free;
 * 3. map too much and unmap both ends, which always works.
 *
 * A mapping that will be trimmed is inaccessible until then, so it neither counts for RLIMIT_DATA nor is populated in a
 * process that locks all its memory. */
#include "hakmem/os/linux/linux.h"

/* End of the range to try next; 0: none. Atomic, relaxed: a stale value costs a few system calls, no more,
 * because the kernel treats it as a wish and the result is tested. */
static uintptr_t hint_end;

void hak_linux_map_hint_set(const void *end) { hak_store_relaxed(&hint_end, (uintptr_t)end); }

/* The highest aligned place for `size` bytes below hint_end; NULL lets the kernel choose. */
static void *hint(size_t size, size_t alignment) {
    uintptr_t end = hak_load_relaxed(&hint_end);
    if (end <= size) return NULL;
    return (void *)((end - size) & ~(uintptr_t)(alignment - 1));
}

static bool is_aligned(const void *start, size_t alignment) { return ((uintptr_t)start & (alignment - 1)) == 0; }

/* Cuts [mapped, mapped + mapped_size) down to [start, start + size). The kernel may refuse, since a cut within
 * a mapping that it has joined to its neighbour makes two of one; then the rest is given back whole. Should it
 * refuse that too, address space is lost, but no memory: nothing of it was ever touched. */
static int trim(char *mapped, size_t mapped_size, char *start, size_t size) {
    size_t head = (size_t)(start - mapped);
    size_t tail = mapped_size - head - size;
    if (head != 0 && linux_munmap(mapped, head) != 0) {
        (void)linux_munmap(mapped, mapped_size);
        return ENOMEM;
    }
    if (tail != 0 && linux_munmap(start + size, tail) != 0) {
        (void)linux_munmap(start, size + tail);
        return ENOMEM;
    }
    return 0;
}

static int reserve_more_and_trim(size_t size, size_t alignment, void **out) {
    /* What the kernel returns is a multiple of a page already. */
    size_t mapped_size;
    if (__builtin_add_overflow(size, alignment - hak_os_page_size(), &mapped_size)) return ENOMEM;
    void *mapped = NULL;
    int error = linux_mmap(NULL, mapped_size, PROT_NONE, 0, &mapped);
    if (error != 0) return error;
    char *start = (char *)bits_round_up((uintptr_t)mapped, alignment);
    error = trim(mapped, mapped_size, start, size);
    if (error == 0) *out = start;
    return error;
}

/* One try. 0: *out is aligned; EAGAIN: the kernel mapped it at *out, which is not, and took it back. */
static int map_near(void *wish, size_t size, size_t alignment, int protection, void **out) {
    int error = linux_mmap(wish, size, protection, 0, out);
    if (error != 0 || is_aligned(*out, alignment)) return error;
    /* Whether or not the kernel takes it back, it is of no use; it fails only where a trim would. */
    error = linux_munmap(*out, size);
    return error != 0 ? error : EAGAIN;
}

/* Where `near`, which is not aligned, was free a moment ago. */
static int reserve_elsewhere(void *near, size_t size, size_t alignment, void **out) {
    void *below = (void *)((uintptr_t)near & ~(uintptr_t)(alignment - 1));
    const int error = map_near(below, size, alignment, PROT_NONE, out);
    return error == EAGAIN ? reserve_more_and_trim(size, alignment, out) : error;
}

int hak_linux_reserve_aligned(size_t size, size_t alignment, void **out) {
    void *start = NULL;
    int error = map_near(hint(size, alignment), size, alignment, PROT_NONE, &start);
    if (error == EAGAIN) error = reserve_elsewhere(start, size, alignment, &start);
    if (error != 0) return error;
    hak_linux_map_hint_set(start);
    *out = start;
    return 0;
}

int hak_linux_commit(void *start, size_t size) {
    void *mapped = NULL;
    return linux_mmap(start, size, PROT_READ | PROT_WRITE, MAP_FIXED, &mapped);
}

int hak_linux_map_aligned(size_t size, size_t alignment, void **out) {
    void *start = hint(size, alignment);
    if (alignment <= hak_os_page_size()) return linux_mmap(NULL, size, PROT_READ | PROT_WRITE, 0, out);
    const bool hinted = start != NULL;
    int error = hinted ? map_near(start, size, alignment, PROT_READ | PROT_WRITE, &start) : EAGAIN;
    if (error == EAGAIN) {
        error = hinted ? reserve_elsewhere(start, size, alignment, &start)
                       : hak_linux_reserve_aligned(size, alignment, &start);
        if (error != 0) return error;
        error = hak_linux_commit(start, size);
        if (error != 0) (void)linux_munmap(start, size);
    }
    if (error != 0) return error;
    hak_linux_map_hint_set(start);
    *out = start;
    return 0;
}

int hak_os_map(size_t size, size_t alignment, void **out) {
    int error = hak_linux_map_aligned(size, alignment, out);
    if (error != 0) return error;
    linux_count(maps, 1);
    linux_count(mapped_bytes, size);
    return 0;
}
