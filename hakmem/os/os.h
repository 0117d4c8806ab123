/* SPDX-License-Identifier: MIT */
/* The system: everything hakmem asks of the kernel, and nothing else does.
 *
 * Every primitive returns 0 or an errno value, and on failure changes nothing; results come through
 * out-parameters. None takes a lock or changes errno, and none but hak_os_start_thread allocates. Any thread may
 * call them.
 * Addresses and sizes are multiples of hak_os_page_size() unless said otherwise.
 * One file a concern below linux/; the fake of the tests wraps each primitive at link time. */
#ifndef HAKMEM_OS_OS_H
#define HAKMEM_OS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Maps `size` bytes of zeroed, private, readable and writable memory at a multiple of `alignment`.
 * It is charged as the C library's blocks are, so a size that no machine has is refused where the kernel looks (heuristic
 * overcommit). pre: alignment is a power of two, at least a page. ENOMEM; EAGAIN: more than may be locked, where all is */
int hak_os_map(size_t size, size_t alignment, void **out);

/* Reserves `size` bytes that read as zero and cannot be written until hak_os_make_writable; they are kept out
 * of core dumps and from huge pages, since a single touched byte would otherwise cost 2 MiB. ENOMEM */
int hak_os_reserve(size_t size, void **out);

/* Maps `size` zeroed bytes that are zero again in every child, however it was made. ENOMEM; EINVAL: before Linux 4.14 */
int hak_os_map_wiped(size_t size, void **out);

/* Reserves a range that a mapping has just left, inaccessible, so that nothing else comes there. EEXIST: something has */
int hak_os_map_left(void *start, size_t size);

/* How many mappings a process may have; the kernel's default where it does not say. Reads a file: once, at the start. */
size_t hak_os_mappings_most(void);

/* hak_os_reserve of just that place, of whatever is mapped there. Errors as of hak_os_map */
int hak_os_reserve_at(void *start, size_t size);

/* Reserves `size` bytes at a multiple of `alignment` that cannot be accessed until hak_os_commit. Errors as of hak_os_map */
int hak_os_reserve_aligned(size_t size, size_t alignment, void **out);

/* Replaces a part of a reservation by zeroed memory that can be read and written; readers of other threads see the zeros of
 * before or of after. Errors as of hak_os_map, and then it may be that nothing is mapped there */
int hak_os_commit(void *start, size_t size);

/* Undoes it: the part is reserved, and what was in it gone. Errors as of hak_os_map */
int hak_os_uncommit(void *start, size_t size);

/* hak_os_map of just that place. EEXIST: something is there */
int hak_os_map_at(void *start, size_t size);

/* Maps `size` bytes as hak_os_map does, where behind them, up to the next multiple of `alignment`, is room as far as can be told:
 * nothing of it is reserved. pre: size <= alignment. Errors as of hak_os_map */
int hak_os_map_first(size_t size, size_t alignment, void **out);

/* Takes a part of a reservation away; hak_os_map looks for no place there. Errors as of hak_os_unmap */
int hak_os_unreserve(void *start, size_t size);

/* Makes a part of a reservation writable, its content kept. Where it is already, nothing happens. ENOMEM */
int hak_os_make_writable(void *start, size_t size);

/* Makes a part of a mapping inaccessible until hak_os_make_writable; its pages stay. ENOMEM (too many mappings) */
int hak_os_make_inaccessible(void *start, size_t size);

/* Takes a whole mapping, or a part of it, away. EINVAL, ENOMEM (too many mappings) */
int hak_os_unmap(void *start, size_t size);

/* Gives the pages back; the range stays mapped and reads as zero. EINVAL, EAGAIN */
int hak_os_purge(void *start, size_t size);

/* hak_os_purge by a new mapping in the place of the range: a system call that every allocator makes, so that it is there where
 * a program forbids itself all others. The kernel joins the mapping with those beside it where these are as hak_os_map made
 * them. pre: hak_os_map or hak_os_commit made the range, and no other thread writes it. ENOMEM, EAGAIN */
int hak_os_purge_by_mapping(void *start, size_t size);

/* Whether each page of a range is resident, a byte a page, in its lowest bit. A page that is not reads zero, or was
 * swapped out. pre: `pages` has room. ENOMEM, EAGAIN */
int hak_os_resident(void *start, size_t size, unsigned char *pages);

/* Whether pages can be swapped out. */
bool hak_os_has_swap(void);

/* Keeps huge pages away from a range that is touched sparsely. A kernel without huge pages is no error. */
int hak_os_no_huge_pages(void *start, size_t size);

/* Bytes of a huge page. A range of hak_os_map that is to get some starts at a multiple of this. */
#define OS_HUGE_PAGE_BYTES ((size_t)2 << 20)

/* Asks for huge pages in a range. A kernel that has none, or keeps them off, is no error: memory is as it was. */
int hak_os_huge_pages(void *start, size_t size);

/* Resizes a mapping of hak_os_map, content kept; new bytes are zero. The result is at a multiple of
 * `alignment`: in place where the neighbourhood allows it, else the pages move, uncopied. ENOMEM */
int hak_os_remap(void *start, size_t old_size, size_t new_size, size_t alignment, void **out);

/* Bytes a page, a power of two. */
size_t hak_os_page_size(void);

/* Milliseconds of a clock that never goes back; coarse (a few ms), some 5 ns to read. */
uint64_t hak_os_clock_ms(void);

/* Starts a thread with a small stack and all signals blocked, which somebody is to join. EAGAIN, ENOMEM */
int hak_os_start_thread(void *(*main)(void *), void *argument, uintptr_t *thread);

/* Waits until a thread of hak_os_start_thread is gone from the process. Not a cancellation point. pre: nobody else joins it */
void hak_os_join_thread(uintptr_t thread);

/* The calling thread's number in the kernel, as /proc/PID/task lists it. */
uint32_t hak_os_thread_id(void);

/* Notes where the C library is and what threads need. Called once, while the process has one thread; later the loader
 * would have to be asked under its locks, which the child of a fork may find locked for good. */
void hak_os_init(void);

/* Whether an address lies in the code of the C library or of its loader; true as well where that is not known: before
 * hak_os_init, in a program that is linked statically, and for hakmem's own code where that is a library, since who called
 * into it cannot be told then. */
bool hak_os_is_c_library(const void *address);

/* Whether it is known where the C library is. */
bool hak_os_knows_c_library(void);

/* The process's number, asked anew each time: a fork changes it. */
uint32_t hak_os_process_id(void);

/* A file in memory that other processes read: mapped shared, and open at `descriptor`, through which they reach it. */
struct os_shared {
    void *start;
    size_t size;
    int descriptor;
    uint64_t inode; /* what it leads to: the program may close it, and open a file of its own in its place */
};

/* Makes one of `size` zeroed bytes, readable by its owner only; a store into it never fails for want of memory.
 * /proc/PID/fd and maps show it as "/memfd:LABEL (deleted)". ENOSPC, EFBIG, EMFILE, ENOMEM, ENOSYS, EACCES */
int hak_os_shared_create(const char *label, size_t size, struct os_shared *out);

/* Whether the descriptor still leads to it. */
bool hak_os_shared_is_open(const struct os_shared *shared);

/* Takes the mapping away, and closes the descriptor where it is still ours. */
void hak_os_shared_leave(const struct os_shared *shared);

/* Opens a file for writing, made with mode 0600 or emptied: a regular one of this user, or the null device, through no
 * symbolic link; a FIFO is not waited for. ELOOP, ENXIO, EPERM, EISDIR, EACCES, ENOENT, ENOSPC, EMFILE */
int hak_os_file_create(const char *path, int *out);

/* What an error of it means, or of a write to such a file. */
const char *hak_os_file_problem(int error);

/* Opens, reads and closes a file of the kernel's. *count is 0 at the end. ENOENT, EACCES, EMFILE; EIO */
int hak_os_file_open(const char *path, int *out);
int hak_os_file_read(int descriptor, void *out, size_t size, size_t *count);
int hak_os_file_close(int descriptor);

/* Notes what standard error leads to, and keeps a copy on demand. Called by constructors. */
void hak_os_error_keep(bool with_copy);

/* A descriptor that leads there still; -1: there is none, or all were closed, or taken by files of the program. Descriptor 2
 * where nothing was noted. */
int hak_os_error_kept(void);

/* Sleeps so long, or shorter. */
void hak_os_sleep_ms(uint64_t duration_ms);

/* Sleeps while *word == expected, at most timeout_ms milliseconds (negative: without end). May wake early. */
void hak_os_wait(const uint32_t *word, uint32_t expected, int64_t timeout_ms);
void hak_os_wake(const uint32_t *word);

/* `size` random bytes, at most 256, at any address: nobody else can know them. ENOSYS, or EAGAIN early in the boot */
int hak_os_random(void *out, size_t size);

/* The 16 random bytes that the kernel gave the process when the program started, the same in every child; zeros where it gave
 * none. The C library takes its own secrets from them: they are to leave nobody's hands but through a function that cannot
 * be turned around. */
void hak_os_process_random(uint32_t out[4]);

/* Whether the process has had a second thread. true where the C library does not say. */
bool hak_os_has_threads(void);

/* Bytes that the process's mappings may have in all; UINT64_MAX: no limit. */
uint64_t hak_os_address_space_limit(void);

/* prlimit and mlockall themselves: for the functions of those names that the library has in front of the C library's. */
int hak_os_prlimit(int process, int resource, const void *new_limit, void *old_limit);
int hak_os_lock_all(int flags);

/* What was asked of the system since the start, successful calls only. */
struct os_counters {
    uint64_t maps, unmaps, purges, remaps; /* calls */
    uint64_t mapped_bytes;                 /* now, hak_os_map and hak_os_reserve */
    uint64_t purged_bytes;                 /* since the start */
};
void hak_os_counters_get(struct os_counters *counters);

#ifdef __cplusplus
}
#endif

#endif
