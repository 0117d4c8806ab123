/* SPDX-License-Identifier: MIT */
/* Shared by the files of this folder: counters, conversion of errno, aligned mappings.
 *
 * Private to hakmem/os/linux. The primitives of os.h call the functions here and never each other, so that each call of
 * the allocator is counted once, and is seen once by the fake for tests, which wraps the names of os.h. */
#ifndef HAKMEM_OS_LINUX_LINUX_H
#define HAKMEM_OS_LINUX_LINUX_H

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/bits.h"
#include "hakmem/base/compiler.h"
#include "hakmem/base/config.h"
#include "hakmem/os/os.h"

/* Every field is atomic. */
extern struct os_counters hak_linux_counters;

/* Relaxed: a count orders nothing else. */
#define linux_count(field, n) ((void)hak_fetch_add_relaxed(&hak_linux_counters.field, (n)))

/* Returns the errno value of the call that just failed, and restores the caller's errno. */
HAK_ALWAYS_INLINE int linux_take_error(int saved_errno) {
    int error = errno;
    errno = saved_errno;
    return error;
}

/* System calls on memory, with the conventions of os.h. They bypass the C library's functions, because a program may
 * interpose those by functions that allocate, in the middle of an allocation or of initialisation. The sanitizers
 * interpose them as well, but have to see every mapping. */
#if HAK_THREAD_SANITIZER || HAK_ADDRESS_SANITIZER
#define LINUX_CALL(name, ...) (name(__VA_ARGS__))
#else
#define LINUX_CALL(name, ...) ((__typeof__(name(__VA_ARGS__)))syscall(SYS_##name, __VA_ARGS__))
#endif

/* Missing in the headers of older C libraries. */
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* Gives a mapping back that lies where no table has an entry, and says so once. ENOMEM */
HAK_COLD int hak_linux_refuse_high(void *start, size_t size);

/* Makes an anonymous private mapping; `how` is 0 or a flag of the MAP_FIXED kind. Writable memory is accounted for as
 * the C library's blocks are, so the kernel refuses a size that the machine cannot have; other memory is not accounted
 * for. */
HAK_ALWAYS_INLINE int linux_mmap(void *wish, size_t size, int protection, int how, void **out) {
    int saved_errno = errno;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | how | ((protection & PROT_WRITE) != 0 ? 0 : MAP_NORESERVE);
    void *start = LINUX_CALL(mmap, wish, size, protection, flags, -1, (off_t)0);
    if (start == MAP_FAILED) return linux_take_error(saved_errno);
    if (HAK_UNLIKELY((uintptr_t)start >> HAK_ADDRESS_BITS != 0)) return hak_linux_refuse_high(start, size);
    *out = start;
    return 0;
}

HAK_ALWAYS_INLINE int linux_munmap(void *start, size_t size) {
    int saved_errno = errno;
    return LINUX_CALL(munmap, start, size) == 0 ? 0 : linux_take_error(saved_errno);
}

/* Makes an anonymous mapping at `start` or fails. EEXIST: something is mapped there. Linux before 4.17 takes the
 * address as a hint and may map elsewhere; that mapping is removed again. */
HAK_ALWAYS_INLINE int linux_mmap_there(void *start, size_t size, int protection) {
    void *mapped = NULL;
    const int error = linux_mmap(start, size, protection, MAP_FIXED_NOREPLACE, &mapped);
    if (error != 0 || mapped == start) return error;
    (void)linux_munmap(mapped, size);
    return EEXIST;
}

HAK_ALWAYS_INLINE int linux_madvise(void *start, size_t size, int advice) {
    int saved_errno = errno;
    return LINUX_CALL(madvise, start, size, advice) == 0 ? 0 : linux_take_error(saved_errno);
}

HAK_ALWAYS_INLINE int linux_mprotect(void *start, size_t size, int protection) {
    int saved_errno = errno;
    return LINUX_CALL(mprotect, start, size, protection) == 0 ? 0 : linux_take_error(saved_errno);
}

/* Resizes a mapping in place if `destination` is NULL, else moves it there. */
HAK_ALWAYS_INLINE int linux_mremap(void *start, size_t old_size, size_t new_size, void *destination) {
    int saved_errno = errno;
    int flags = destination == NULL ? 0 : MREMAP_MAYMOVE | MREMAP_FIXED;
    void *moved = LINUX_CALL(mremap, start, old_size, new_size, flags, destination);
    return moved != MAP_FAILED ? 0 : linux_take_error(saved_errno);
}

/* Identifies the file that a descriptor refers to. */
struct hak_linux_identity {
    uint64_t device, special; /* the device that holds the file; the device that the file is */
    uint64_t inode;
    uint64_t birth_seconds, birth_nanoseconds; /* needed because inodes are reused; 0 if not known */
    uint32_t type, owner;
    uint32_t links; /* names of the file */
};

/* Fills *out; false if the descriptor is not open. */
bool hak_linux_identity(int descriptor, struct hak_linux_identity *out);
bool hak_linux_identity_equal(const struct hak_linux_identity *one, const struct hak_linux_identity *other);

/* Descriptors that hakmem keeps open start here, above the numbers that programs use themselves; anywhere if the limit
 * is lower. */
#define LINUX_DESCRIPTOR_FIRST 200

/* Duplicates a descriptor to LINUX_DESCRIPTOR_FIRST or above, closed on exec. Negative with errno on failure. */
int hak_linux_descriptor_high(int descriptor);

/* As hak_os_map_block, but does not count. */
int hak_linux_map_aligned(size_t size, size_t alignment, void **out);

/* As hak_os_reserve_aligned, but does not count. */
int hak_linux_reserve_aligned(size_t size, size_t alignment, void **out);

/* As hak_os_commit, but does not count. */
int hak_linux_commit(void *start, size_t size);

/* As hak_os_map_at, with that protection, but does not pass through the fake. Counts, as the primitive does. */
int hak_linux_map_at(void *start, size_t size, int protection);

/* As hak_os_no_huge_pages, but does not pass through the fake. */
int hak_linux_no_huge_pages(void *start, size_t size);

/* Bytes of thread-local storage of the modules loaded at program start; 0 before hak_os_init. */
extern size_t hak_linux_thread_local_bytes;

/* Whether this library is in the name space of the program, and so has its C library. Constant after hak_os_init. */
extern bool hak_linux_is_with_program;

/* The vDSO function of that name; NULL if there is none. */
void *hak_linux_vdso_function(const char *name);

/* The function of that name, in its newest version, in the object loaded at `base`; NULL if there is none. */
void *hak_linux_elf_function(uintptr_t base, const void *dynamic, const char *name);

typedef int linux_thread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*main)(void *),
                                void *argument);
typedef int linux_thread_join(pthread_t thread, void **result);

/* The C library's own functions if it was found, because a program may interpose functions of these names. */
struct hak_linux_threads {
    linux_thread_create *create;
    linux_thread_join *join;
};
extern struct hak_linux_threads hak_linux_threads;

/* Called by hak_os_init; learns how the system hands out memory. */
void hak_linux_purge_init(void);

/* Notes that [start, start + size) was unmapped: the next mapping of its kind is tried there. */
void hak_linux_map_note_unmapped(const void *start, size_t size);

/* Notes that [start, start + size) was unreserved: if it was the lowest region, the next is tried there. */
void hak_linux_map_note_unreserved(const void *start, size_t size);

#endif
