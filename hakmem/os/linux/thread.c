/* SPDX-License-Identifier: MIT */
/* Background threads of the allocator, for work that must not wait for a call of the program.
 *
 * The starting thread holds no lock, because pthread_create calls calloc for the thread's table of thread-local storage
 * and for the attributes, and thus re-enters the allocator. The C library's own functions are called, because a program
 * may interpose functions of that name that take its locks. All signals are blocked in the new thread from its first
 * instruction on, so that no handler of the program ever runs on it; the caller's mask is unchanged afterwards. */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "hakmem/os/linux/linux.h"

/* What the code of the thread may use; pages that are not touched cost nothing. */
#define STACK_BYTES ((size_t)256 * 1024)

HAK_STATIC_ASSERT(sizeof(pthread_t) == sizeof(uintptr_t), "a thread's name fits what os.h returns");

/* The C library takes the guard page, thread-local storage of all modules and the space of a signal frame out of
 * the stack that it is asked for; a program with much of these must not leave us without. */
static size_t stack_size(void) {
    long least = sysconf(_SC_THREAD_STACK_MIN);
    size_t least_bytes = least > 0 ? (size_t)least : 0;
    size_t page = hak_os_page_size();
    return bits_round_up(STACK_BYTES + least_bytes + hak_linux_thread_local_bytes, page) + page;
}

int hak_os_start_thread(void *(*main)(void *), void *argument, uintptr_t *thread) {
    const int saved_errno = errno;
    pthread_attr_t attributes;
    sigset_t all;
    sigfillset(&all);
    int error = pthread_attr_init(&attributes);
    if (error == 0) {
        error = pthread_attr_setstacksize(&attributes, stack_size());
        if (error == 0) error = pthread_attr_setsigmask_np(&attributes, &all);
        pthread_t started;
        if (error == 0) error = hak_linux_threads.create(&started, &attributes, main, argument);
        if (error == 0) *thread = (uintptr_t)started;
        pthread_attr_destroy(&attributes);
    }
    errno = saved_errno;
    return error;
}

void hak_os_join_thread(uintptr_t thread) {
    const int saved_errno = errno;
    int state;
    /* The caller may be about to be cancelled, and waiting is where that would happen. */
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    (void)hak_linux_threads.join((pthread_t)thread, NULL);
    (void)pthread_setcancelstate(state, NULL);
    errno = saved_errno;
}

uint32_t hak_os_thread_id(void) { return (uint32_t)syscall(SYS_gettid); }
