/* Growing and shrinking of mappings, content kept and never copied.
 *
 * Called by realloc of huge blocks; any thread that owns the mapping. */
#include "hakmem/os/linux/linux.h"

/* The kernel cannot be asked for an aligned destination, so one is mapped first and the pages move onto it.
 * It is mapped as what will replace it: the move gives back the destination's share of every limit (address
 * space, commit charge, number of mappings) before it asks for its own, and so can hardly fail half-way. */
static int move(void *start, size_t old_size, size_t new_size, size_t alignment, void **out) {
    void *destination = NULL;
    int error = linux_map_aligned(new_size, alignment, &destination);
    if (error != 0) return error;
    error = linux_mremap(start, old_size, new_size, destination);
    if (error != 0) {
        (void)linux_munmap(destination, new_size);
        return error;
    }
    *out = destination;
    return 0;
}

int os_remap(void *start, size_t old_size, size_t new_size, size_t alignment, void **out) {
    void *result = start;
    bool aligned = ((uintptr_t)start & (alignment - 1)) == 0;
    int error = aligned ? linux_mremap(start, old_size, new_size, NULL) : ENOMEM;
    /* Mostly there is just no room behind the mapping; if it is something worse, the move finds out. */
    if (error != 0) error = move(start, old_size, new_size, alignment, &result);
    if (error != 0) return error;
    linux_count(remaps, 1);
    linux_count(mapped_bytes, (uint64_t)new_size - (uint64_t)old_size);
    *out = result;
    return 0;
}
