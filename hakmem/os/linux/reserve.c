/* Address space for flat tables that are touched sparsely: the page map, and the shadow of the guard build.
 *
 * Called once a table while the allocator initialises itself, then as parts come into use; any thread.
 * The reservation is read-only because the kernel charges only writable private pages to its commit limit, also
 * under vm.overcommit_memory=2, where MAP_NORESERVE is ignored; what is read before it is written is the
 * kernel's page of zeros. */
#include "hakmem/os/linux/linux.h"

int linux_no_huge_pages(void *start, size_t size) {
    int error = linux_madvise(start, size, MADV_NOHUGEPAGE);
    /* EINVAL: the kernel was built without huge pages, so there is nothing to keep away. */
    return error == EINVAL ? 0 : error;
}

int os_no_huge_pages(void *start, size_t size) { return linux_no_huge_pages(start, size); }

int os_huge_pages(void *start, size_t size) {
    int error = linux_madvise(start, size, MADV_HUGEPAGE);
    return error == EINVAL ? 0 : error; /* as above */
}

int os_reserve(size_t size, void **out) {
    void *start = NULL;
    int error = linux_mmap(NULL, size, PROT_READ, &start);
    if (error != 0) return error;
    error = linux_madvise(start, size, MADV_DONTDUMP);
    if (error == 0) error = linux_no_huge_pages(start, size);
    if (error != 0) {
        (void)linux_munmap(start, size);
        return error;
    }
    linux_count(maps, 1);
    linux_count(mapped_bytes, size);
    *out = start;
    return 0;
}

int os_make_writable(void *start, size_t size) { return linux_mprotect(start, size, PROT_READ | PROT_WRITE); }

int os_make_inaccessible(void *start, size_t size) { return linux_mprotect(start, size, PROT_NONE); }
