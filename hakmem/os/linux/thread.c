/* A thread of the allocator's own, for purging when the program has stopped allocating.
 *
 * Called at most a few times a process, by any thread that holds no lock: the C library may call calloc for the
 * thread's table of thread-local storage, and thus come back into the allocator. All signals are blocked in
 * the new thread from its first instruction on: the handlers of the program must never run on it. */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "hakmem/os/linux/linux.h"

/* What the code of the thread may use. It needs little, but where it is the process's last thread, the program's
 * handlers of exit run on it; pages that are not touched cost nothing. */
#define STACK_BYTES ((size_t)256 * 1024)

/* The C library takes the guard page, thread-local storage of all modules and the space of a signal frame out of
 * the stack that it is asked for; a program with much of these must not leave us without. */
static size_t stack_size(void) {
    long least = sysconf(_SC_THREAD_STACK_MIN);
    size_t least_bytes = least > 0 ? (size_t)least : 0;
    size_t page = os_page_size();
    return bits_round_up(STACK_BYTES + least_bytes + linux_thread_local_bytes, page) + page;
}

static int create(void *(*main)(void *), void *argument) {
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error != 0) return error;
    error = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (error == 0) error = pthread_attr_setstacksize(&attributes, stack_size());
    pthread_t thread;
    if (error == 0) error = pthread_create(&thread, &attributes, main, argument);
    pthread_attr_destroy(&attributes);
    return error;
}

int os_start_thread(void *(*main)(void *), void *argument) {
    int saved_errno = errno;
    sigset_t all, previous;
    sigfillset(&all);
    int error = pthread_sigmask(SIG_SETMASK, &all, &previous);
    if (error == 0) {
        error = create(main, argument);
        (void)pthread_sigmask(SIG_SETMASK, &previous, NULL);
    }
    errno = saved_errno;
    return error;
}

uint32_t os_thread_id(void) { return (uint32_t)syscall(SYS_gettid); }
