/* SPDX-License-Identifier: MIT */
/* What the files of this folder share: counters, error values, the aligned mapping.
 *
 * Private to hakmem/os/linux. The primitives call the functions here and never each other, so that one call
 * of the allocator counts once and the fake of the tests, which wraps the public names, sees it once. */
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
#include "hakmem/os/os.h"

/* Each field atomic. */
extern struct os_counters hak_linux_counters;

/* Relaxed: a count orders nothing else. */
#define linux_count(field, n) ((void)hak_fetch_add_relaxed(&hak_linux_counters.field, (n)))

/* The errno value of the call that just failed; errno itself becomes again what the caller had. */
HAK_ALWAYS_INLINE int linux_take_error(int saved_errno) {
    int error = errno;
    errno = saved_errno;
    return error;
}

/* The calls on memory, with the conventions of os.h. Not through the C library's functions: a program may have
 * replaced them by its own, and such a hook may allocate, in the middle of an allocation or of initialisation.
 * The sanitizers are such a replacement, and need to see every mapping. */
#if HAK_THREAD_SANITIZER || HAK_ADDRESS_SANITIZER
#define LINUX_CALL(name, ...) (name(__VA_ARGS__))
#else
#define LINUX_CALL(name, ...) ((__typeof__(name(__VA_ARGS__)))syscall(SYS_##name, __VA_ARGS__))
#endif

/* What these headers may lack. */
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* An anonymous private mapping; `how`: where, MAP_FIXED and its kin. What can be written is charged as the C library's blocks
 * are, so that a size which no machine has is refused; what cannot is never charged. */
HAK_ALWAYS_INLINE int linux_mmap(void *wish, size_t size, int protection, int how, void **out) {
    int saved_errno = errno;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | how | ((protection & PROT_WRITE) != 0 ? 0 : MAP_NORESERVE);
    void *start = LINUX_CALL(mmap, wish, size, protection, flags, -1, (off_t)0);
    if (start == MAP_FAILED) return linux_take_error(saved_errno);
    *out = start;
    return 0;
}

HAK_ALWAYS_INLINE int linux_munmap(void *start, size_t size) {
    int saved_errno = errno;
    return LINUX_CALL(munmap, start, size) == 0 ? 0 : linux_take_error(saved_errno);
}

/* An anonymous mapping at `start` and nowhere else. EEXIST: something is there; Linux before 4.17, which takes the place for a
 * wish, may have given another one, which goes back. */
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

/* In place where `destination` is NULL, else there. */
HAK_ALWAYS_INLINE int linux_mremap(void *start, size_t old_size, size_t new_size, void *destination) {
    int saved_errno = errno;
    int flags = destination == NULL ? 0 : MREMAP_MAYMOVE | MREMAP_FIXED;
    void *moved = LINUX_CALL(mremap, start, old_size, new_size, flags, destination);
    return moved != MAP_FAILED ? 0 : linux_take_error(saved_errno);
}

/* What a descriptor leads to. */
struct hak_linux_identity {
    uint64_t device, special; /* where it lies; which device it is */
    uint64_t inode;
    uint64_t birth_seconds, birth_nanoseconds; /* 0 where not known: inodes are used again */
    uint32_t type, owner;
};

/* false: it is not open */
bool hak_linux_identity(int descriptor, struct hak_linux_identity *out);
bool hak_linux_identity_equal(const struct hak_linux_identity *one, const struct hak_linux_identity *other);

/* Descriptors that stay lie above what programs number themselves, or anywhere where so many are not allowed. */
#define LINUX_DESCRIPTOR_FIRST 200

/* A copy there, which an exec closes; negative, and errno, where there is none. */
int hak_linux_descriptor_high(int descriptor);

/* hak_os_map without the counting. */
int hak_linux_map_aligned(size_t size, size_t alignment, void **out);

/* The same without the counting, of addresses that cannot be accessed. */
int hak_linux_reserve_aligned(size_t size, size_t alignment, void **out);

/* Memory that can be written in place of what is mapped there. */
int hak_linux_commit(void *start, size_t size);

/* hak_os_no_huge_pages. */
int hak_linux_no_huge_pages(void *start, size_t size);

/* Thread-local storage of the modules that the program started with; 0 before hak_os_init. */
extern size_t hak_linux_thread_local_bytes;

/* The kernel's function of that name in this process; NULL where there is none. */
void *hak_linux_vdso_function(const char *name);

/* The function of that name, in its newest version, of the object whose addresses are relative to `base`; NULL: none. */
void *hak_linux_elf_function(uintptr_t base, const void *dynamic, const char *name);

typedef int linux_thread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*main)(void *),
                                void *argument);
typedef int linux_thread_join(pthread_t thread, void **result);

/* The C library's own, where it was found: a program may have functions of these names. */
struct hak_linux_threads {
    linux_thread_create *create;
    linux_thread_join *join;
};
extern struct hak_linux_threads hak_linux_threads;

/* By hak_os_init: learns how the system gives memory out. */
void hak_linux_purge_init(void);

/* Where the next aligned mapping is likely to fit: directly below `end`. */
void hak_linux_map_hint_set(const void *end);

#endif
