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

#ifdef __GLIBC__
/* The thread begins with all signals blocked. */
static int attributes_block(pthread_attr_t *attributes, const sigset_t *all) {
    return pthread_attr_setsigmask_np(attributes, all);
}

static int create(pthread_t *started, const pthread_attr_t *attributes, const sigset_t *all, void *(*main)(void *),
                  void *argument) {
    (void)all;
    return hak_linux_threads.create(started, attributes, main, argument);
}
#else
/* It takes its mask from the thread that starts it. */
static int attributes_block(pthread_attr_t *attributes, const sigset_t *all) {
    (void)attributes;
    (void)all;
    return 0;
}

static int create(pthread_t *started, const pthread_attr_t *attributes, const sigset_t *all, void *(*main)(void *),
                  void *argument) {
    sigset_t before;
    int error = pthread_sigmask(SIG_SETMASK, all, &before);
    if (error == 0) {
        error = hak_linux_threads.create(started, attributes, main, argument);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    return error;
}
#endif

int hak_os_start_thread(void *(*main)(void *), void *argument, uintptr_t *thread) {
    const int saved_errno = errno;
    pthread_attr_t attributes;
    sigset_t all;
    sigfillset(&all);
    int error = pthread_attr_init(&attributes);
    if (error == 0) {
        error = pthread_attr_setstacksize(&attributes, stack_size());
        if (error == 0) error = attributes_block(&attributes, &all);
        pthread_t started;
        if (error == 0) error = create(&started, &attributes, &all, main, argument);
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
