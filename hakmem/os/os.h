/* SPDX-License-Identifier: MIT */
/* The system: all that hakmem asks of the kernel goes through this header.
 *
 * A primitive that can fail returns 0 or an errno value, changes nothing on failure unless its comment says otherwise,
 * and gives its result through an out-parameter. No primitive takes a lock or changes errno; only hak_os_start_thread
 * allocates. All are thread-safe. Addresses and sizes are multiples of hak_os_page_size() unless said otherwise.
 *
 * linux/ has one file for each concern; the fake for tests (fake/) wraps the primitives at link time. */
#ifndef HAKMEM_OS_OS_H
#define HAKMEM_OS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 32)
#include <sys/single_threaded.h>
#define OS_SAYS_THREADS
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Maps `size` bytes of zeroed, private, readable and writable memory at a multiple of `alignment`. The kernel accounts
 * for it as for the C library's blocks, so under heuristic overcommit it refuses a size that the machine cannot have.
 * pre: alignment is a power of two, at least a page. ENOMEM; EAGAIN: the process locks all its memory, and this would
 * exceed RLIMIT_MEMLOCK */
int hak_os_map(size_t size, size_t alignment, void **out);

/* The same, among the blocks also where the alignment is a page (on kernels with pages of 64 KiB). */
int hak_os_map_block(size_t size, size_t alignment, void **out);

/* Reserves `size` bytes that read as zero and cannot be written until hak_os_make_writable. The range is left out of
 * core dumps, and gets no huge pages, because with them a single touched byte would cost 2 MiB. ENOMEM */
int hak_os_reserve(size_t size, void **out);

/* Maps `size` zeroed bytes that the kernel zeroes again in every child, also in one that a bare system call made.
 * ENOMEM; EINVAL: Linux before 4.14 */
int hak_os_map_wiped(size_t size, void **out);

/* Maps `size` zeroed bytes that the process has in common with all its descendants until they call exec. ENOMEM */
int hak_os_map_common(size_t size, void **out);

/* Maps inaccessible memory where a mapping was just moved away, so that no other mapping is put there. EEXIST: the
 * range is in use again */
int hak_os_map_left(void *start, size_t size);

/* The number of mappings that a process may have; the kernel's default if it cannot be read. Reads a file, so it is
 * called once, at the start. */
size_t hak_os_mappings_most(void);

/* As hak_os_reserve, but at `start`, and replaces what is mapped there. Errors as of hak_os_map */
int hak_os_reserve_at(void *start, size_t size);

/* Reserves `size` bytes at a multiple of `alignment` that cannot be accessed until hak_os_commit. Errors as of
 * hak_os_map */
int hak_os_reserve_aligned(size_t size, size_t alignment, void **out);

/* Replaces a part of a reservation by zeroed memory that can be read and written. Threads that read it meanwhile see
 * zeros. Errors as of hak_os_map; after an error the range may be unmapped */
int hak_os_commit(void *start, size_t size);

/* Undoes hak_os_commit: the range is reserved again, and its content is lost. Errors as of hak_os_map */
int hak_os_uncommit(void *start, size_t size);

/* As hak_os_map, but at `start`. EEXIST: something is mapped there */
int hak_os_map_at(void *start, size_t size);

/* The same, beside what hak_os_map_block mapped: the next such mapping is tried below the lowest. */
int hak_os_map_beside(void *start, size_t size);

/* Whether what hak_os_unmap unmapped last begins at `start` and has `size` bytes or more. Something else may be mapped there by now. */
bool hak_os_is_hole(const void *start, size_t size);

/* As hak_os_reserve_aligned, at a place where the addresses up to the next multiple of `alignment` appear to be free.
 * They are not reserved, so another mapping may take them. pre: size <= alignment. Errors as of hak_os_map */
int hak_os_reserve_first(size_t size, size_t alignment, void **out);

/* Whether the kernel chooses addresses at random in this process. Not under setarch -R, a debugger or
 * kernel.randomize_va_space=0. Makes no system call. */
bool hak_os_places_vary(void);

/* Says where mappings are tried from now on, each below the one before of its kind: what hak_os_reserve_aligned
 * reserves, what hak_os_map_block maps, or hak_os_map at a multiple of more than a page, and the rest of what that maps.
 * Where something else lies there the kernel chooses. pre: called once, before there are other threads */
void hak_os_place(uintptr_t regions_end, uintptr_t blocks_end, uintptr_t records_end);

/* Calls visit for the variables that say so: the start of the last mapping is among them, which may be a block. */
void hak_os_visit_places(void (*visit)(void *start, size_t size, void *argument), void *argument);

/* Unmaps what hak_os_map did not map, or a part of it, and does not make it the hint where hak_os_map tries first. Where it
 * is the lowest that hak_os_reserve_aligned reserved, the next one is tried there. Errors as of hak_os_unmap */
int hak_os_unreserve(void *start, size_t size);

/* Makes a part of a reservation writable and keeps its content. Does nothing if it is writable. ENOMEM */
int hak_os_make_writable(void *start, size_t size);

/* Makes a part of a mapping inaccessible until hak_os_make_writable; its pages stay resident. ENOMEM (too many
 * mappings) */
int hak_os_make_inaccessible(void *start, size_t size);

/* Unmaps a mapping or a part of it. EINVAL, ENOMEM (too many mappings) */
int hak_os_unmap(void *start, size_t size);

/* Returns the pages of a range to the kernel; the range stays mapped and reads as zero. EINVAL, EAGAIN */
int hak_os_purge(void *start, size_t size);

/* As hak_os_purge, but by mmap over the range: every allocator calls mmap, so a program's seccomp filter allows it
 * where it may forbid madvise. The kernel merges the new mapping with neighbours that hak_os_map made. pre: hak_os_map
 * or hak_os_commit made the range, and no other thread writes it. ENOMEM, EAGAIN */
int hak_os_purge_by_mapping(void *start, size_t size);

/* Stores for each page of a range one byte whose lowest bit says whether the page is resident. A page that is not
 * resident reads zero or is swapped out. pre: `pages` has a byte for each page. ENOMEM, EAGAIN */
int hak_os_resident(void *start, size_t size, unsigned char *pages);

/* Makes the pages of a range of private memory resident, as a write to each would, and changes no byte. After an error some may be.
 * EINVAL: Linux before 5.14; ENOMEM: there is no memory, or not all of the range is mapped and writable; EFAULT, EAGAIN */
int hak_os_populate(void *start, size_t size);

/* Whether the system can swap pages out. */
bool hak_os_has_swap(void);

/* Asks the kernel not to use huge pages in a range, because it is touched sparsely. Succeeds if the kernel has none. */
int hak_os_no_huge_pages(void *start, size_t size);

/* Bytes of a huge page. A range of hak_os_map that is to have huge pages starts at a multiple of this. */
#define OS_HUGE_PAGE_BYTES ((size_t)2 << 20)

/* Asks for huge pages in a range. Succeeds without effect if the kernel has none or they are disabled. */
int hak_os_huge_pages(void *start, size_t size);

/* Resizes a mapping of hak_os_map and keeps its content; new bytes are zero. The result is at a multiple of
 * `alignment`: in place if the old start is one and the addresses behind are free, else the kernel moves the pages,
 * without a copy. ENOMEM */
int hak_os_remap(void *start, size_t old_size, size_t new_size, size_t alignment, void **out);

/* Bytes of a page, a power of two. */
size_t hak_os_page_size(void);

/* Bits of the addresses that the kernel gives to this process: at most HAK_ADDRESS_BITS. Makes no system call. */
unsigned hak_os_address_bits(void);

/* Milliseconds of the coarse monotonic clock: its resolution is a few milliseconds, and a read takes some 5 ns. */
uint64_t hak_os_clock_ms(void);

/* Starts a thread with a small stack and all signals blocked. The caller sees to it that it is joined. EAGAIN,
 * ENOMEM */
int hak_os_start_thread(void *(*main)(void *), void *argument, uintptr_t *thread);

/* Joins a thread of hak_os_start_thread. Not a cancellation point. pre: no other thread joins it */
void hak_os_join_thread(uintptr_t thread);

/* Copies the process as fork does, with the calling thread alone, but without the C library: no handler runs. *copy is 0 in the
 * copy. Its end causes no signal, and no wait for children finds it that does not ask for such. EAGAIN, ENOMEM */
int hak_os_copy(uint32_t *copy);

/* Ends the copy, which called this, at once. */
void hak_os_copy_end(void) __attribute__((noreturn));

/* Waits until the copy has ended. false: something ended it before it came to hak_os_copy_end */
bool hak_os_copy_wait(uint32_t copy);

/* The kernel's id of the calling thread, as in /proc/PID/task. */
uint32_t hak_os_thread_id(void);

/* Finds the C library and its functions for threads. Called once, while the process has one thread: a later call would
 * take the loader's locks, and in the child of a fork these may be locked for ever. */
void hak_os_init(void);

/* Called by a destructor while exit runs: has `run` called when exit has called the destructors of all libraries. false: it
 * will not be called, since the C library cannot, or is a copy that exit knows nothing of. */
bool hak_os_call_last(void (*run)(void *argument));

/* Whether an address lies in the code of the C library or of its loader. Also true if that is not known: before
 * hak_os_init and in a statically linked program. Also true for the code of hakmem if it is a shared library, because
 * the caller cannot be told then. */
bool hak_os_is_c_library(const void *address);

/* Whether hak_os_init found the C library. */
bool hak_os_knows_c_library(void);

/* The process id. Never cached, because a fork changes it. */
uint32_t hak_os_process_id(void);

/* A file in memory that this process maps shared. Other processes open it through `descriptor` (/proc/PID/fd). */
struct os_shared {
    void *start;
    size_t size;
    int descriptor;
    /* Of the file: the program may close the descriptor and reuse its number for another file. No file that exists beside this one
     * has both, and it exists as long as it is mapped. */
    uint64_t device, inode;
};

/* Makes a file of `size` zeroed bytes that only its owner may read. Its memory is allocated here, so that no store into
 * it fails later, and signals that come meanwhile do no harm. /proc/PID/fd and maps show it as "/memfd:LABEL (deleted)".
 * ENOSPC, EFBIG, EMFILE, ENOMEM, ENOSYS, EACCES; EINTR: always interrupted */
int hak_os_shared_create(const char *label, size_t size, struct os_shared *out);

/* Whether the descriptor still refers to that file. */
bool hak_os_shared_is_open(const struct os_shared *shared);

/* Unmaps the file, and closes the descriptor if it still refers to the file. */
void hak_os_shared_leave(const struct os_shared *shared);

/* Opens a file for writing: creates it with mode 0600 or truncates it. Refuses all but regular files of this user and
 * the null device, follows no symbolic link in the path's last part, and does not block on a FIFO. ELOOP, ENXIO, EPERM, EMLINK:
 * the file has several names; EISDIR, EACCES, ENOENT, ENOSPC, EMFILE */
int hak_os_file_create(const char *path, int *out);

/* A text for an error of hak_os_file_create or of a write to its file. */
const char *hak_os_file_problem(int error);

/* Open, read and close a file of the kernel, such as those in /proc. *count is 0 at the end of the file. ENOENT,
 * EACCES, EMFILE; EIO */
int hak_os_file_open(const char *path, int *out);
int hak_os_file_read(int descriptor, void *out, size_t size, size_t *count);
/* Reads at that place of a file. Of /proc/self/mem it is an address: EIO where nothing is mapped */
int hak_os_file_read_at(int descriptor, uint64_t place, void *out, size_t size, size_t *count);
int hak_os_file_close(int descriptor);

/* Notes which file standard error refers to; with_copy also duplicates its descriptor. Called by constructors. */
void hak_os_error_keep(bool with_copy);

/* A descriptor that still refers to the file noted by hak_os_error_keep; 2 if nothing was noted. -1 if standard error
 * was closed then, or if the program has since closed the descriptors or reused their numbers. */
int hak_os_error_kept(void);

/* Sleeps at most duration_ms milliseconds; may return early. */
void hak_os_sleep_ms(uint64_t duration_ms);

/* Sleeps while *word == expected, at most timeout_ms milliseconds (negative: no limit). May return early.
 * hak_os_wake wakes the threads that wait for the word. */
void hak_os_wait(const uint32_t *word, uint32_t expected, int64_t timeout_ms);
void hak_os_wake(const uint32_t *word);

/* Stores `size` <= 256 unpredictable bytes of the kernel; any address will do. ENOSYS; EAGAIN: early in the boot */
int hak_os_random(void *out, size_t size);

/* The 16 random bytes that the kernel gave the process at exec (AT_RANDOM), the same in every child; zeros if it gave
 * none. The C library derives its own secrets from them, so a caller passes on only the output of a one-way function of
 * them. */
void hak_os_process_random(uint32_t out[4]);

/* The number of NUMA nodes, from 1; 1 where that is not known. Reads a file, so it is called once, at the start, and only where it
 * was asked for. */
unsigned hak_os_node_count(void);

/* The node that the calling thread runs on, which may be another at any time. Makes no system call. 0 before hak_os_node_count was
 * called. */
unsigned hak_os_node(void);

/* Whether the process ever had a second thread, true before that one begins; true as well where the C library does not
 * say. glibc does from 2.32 on. */
static inline bool os_has_threads(void) {
#ifdef OS_SAYS_THREADS
    return __libc_single_threaded == 0;
#else
    return true;
#endif
}

/* RLIMIT_AS in bytes: the most that all mappings of the process may have together; UINT64_MAX: no limit. */
uint64_t hak_os_address_space_limit(void);

/* The system calls prlimit and mlockall. The library interposes functions of these names, and those call here. */
int hak_os_prlimit(int process, int resource, const void *new_limit, void *old_limit);
int hak_os_lock_all(int flags);

/* Counts of successful calls since the start. */
struct os_counters {
    uint64_t maps, unmaps, purges, remaps; /* calls */
    uint64_t mapped_bytes;                 /* now, by hak_os_map and hak_os_reserve */
    uint64_t purged_bytes;                 /* since the start */
};
void hak_os_counters_get(struct os_counters *counters);

#ifdef __cplusplus
}
#endif

#endif
