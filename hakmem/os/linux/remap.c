/* SPDX-License-Identifier: MIT */
/* Grows and shrinks mappings by moving pages, without copying their content.
 *
 * Called by realloc of huge blocks, by any thread that owns the mapping.
 *
 * A failed move may leave the destination unmapped. Linux before 6.17 unmaps the destination of mremap(MREMAP_FIXED)
 * before it checks the source; later versions unmap it before they know that they have the memory for the move. Another
 * thread's mapping may lie there by then. So after a failure the destination is unmapped only if a mark in its first
 * word proves that it is the mapping made here; the mark is read in a way that is safe for any address. */
#include <time.h>

#include "hakmem/base/c_library.h"
#include "hakmem/os/linux/linux.h"

/* No word of a mapping that the kernel just made, which reads zero, and unlikely in any other. */
static uint32_t mark_of(const void *destination) {
    return ((uint32_t)((uintptr_t)destination >> 12) * 2654435761u) | 1u;
}

/* Whether the word at an address that may be mapped or not is `mark`. The futex call compares the word, and then waits
 * for no time at all: ETIMEDOUT. A word that differs is EAGAIN, no memory there is EFAULT. */
static bool has_mark(const uint32_t *word, uint32_t mark) {
    static const struct timespec no_time = {0, 0};
    const int saved_errno = errno;
    return syscall(SYS_futex, word, C_LIBRARY_FUTEX_WAIT, mark, &no_time, NULL, 0) != 0 &&
           linux_take_error(saved_errno) == ETIMEDOUT;
}

/* The kernel cannot be asked for an aligned destination, so one is mapped first and the pages move onto it.
 * It is mapped as what will replace it: the move gives back the destination's share of every limit (address
 * space, commit charge, number of mappings) before it asks for its own, and so can hardly fail half-way. */
static int move(void *start, size_t old_size, size_t new_size, size_t alignment, void **out) {
    void *destination = NULL;
    int error = hak_linux_map_aligned(new_size, alignment, &destination);
    if (error != 0) return error;
    const uint32_t mark = mark_of(destination);
    /* Relaxed: no other thread knows the mapping. */
    hak_store_relaxed((uint32_t *)destination, mark);
    error = linux_mremap(start, old_size, new_size, destination);
    if (error != 0) {
        if (has_mark(destination, mark) && linux_munmap(destination, new_size) == 0) {
            hak_linux_map_note_unmapped(destination, new_size);
        }
        return error;
    }
    *out = destination;
    return 0;
}

int hak_os_remap(void *start, size_t old_size, size_t new_size, size_t alignment, void **out) {
    void *result = start;
    bool aligned = ((uintptr_t)start & (alignment - 1)) == 0;
    int error = aligned ? linux_mremap(start, old_size, new_size, NULL) : ENOMEM;
    /* EFAULT: the program made several mappings of the one, by advice for a part of it say. Those do not move together,
     * and there is nothing to be tried that a kernel could leave half done. Otherwise there is mostly just no room
     * behind the mapping; if it is something worse, the move finds out. */
    if (error != 0 && error != EFAULT) error = move(start, old_size, new_size, alignment, &result);
    if (error != 0) return error == EFAULT ? ENOMEM : error;
    linux_count(remaps, 1);
    linux_count(mapped_bytes, (uint64_t)new_size - (uint64_t)old_size);
    *out = result;
    return 0;
}
