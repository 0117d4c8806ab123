/* SPDX-License-Identifier: MIT */
/* Preloaded before the allocator under test: writes down, in every process of a program, whose malloc answers.
 *
 * At the start a line says which object each name of malloc's family is bound to. At the end a line says how many
 * bytes glibc's own allocator has taken from the system: none, where another allocator answered every call, the
 * dynamic linker's and libc's own included. A library that is mapped but not called, or that some call passes by,
 * cannot produce that.
 *
 * Lines go to the file that PROGRAMS_WITNESS names, each by one write; fields are separated by tabs. A process that
 * ends by _exit or a signal writes no second line. Runs on the main thread, before main and in exit. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 16384 };

/* Above the descriptors that programs name. */
enum { KEPT_LEAST = 300 };

static const char *const NAMES[] = {
    "malloc", "free", "calloc", "realloc", "posix_memalign", "aligned_alloc", "malloc_usable_size",
};

/* The record, open from the start on, for a program that forbids itself to open files later, as xz does by Landlock. -1: none. */
static int kept = -1;
static struct stat kept_status;

static void keep(int file) {
    kept = fcntl(file, F_DUPFD_CLOEXEC, KEPT_LEAST);
    if (kept >= 0 && fstat(kept, &kept_status) != 0) {
        abort();
    }
}

/* A descriptor of its own for what is kept. -1: the program has closed that, or put another file there */
static int open_kept(void) {
    struct stat now;
    if (kept < 0 || fstat(kept, &now) != 0 || now.st_dev != kept_status.st_dev || now.st_ino != kept_status.st_ino) {
        return -1;
    }
    return fcntl(kept, F_DUPFD_CLOEXEC, KEPT_LEAST);
}

/* Appends `line` to the record. Failing to is fatal: a missing line must not look like a process that never ran. */
static void record(const char *line, int length) {
    const char *path = getenv("PROGRAMS_WITNESS");
    if (path == NULL || length <= 0 || length >= LINE_MAX_BYTES) {
        abort();
    }
    int file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (file < 0 && errno == EACCES) {
        file = open_kept();
    } else if (kept < 0) {
        keep(file);
    }
    if (file < 0 || write(file, line, (size_t)length) != length || close(file) != 0) {
        abort();
    }
}

static const char *executable(void) {
    static char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    path[length < 0 ? 0 : length] = '\0';
    return path;
}

/* The object whose definition of `name` the program's calls reach. */
static const char *definer(const char *name) {
    Dl_info info;
    ElfW(Sym) *symbol = NULL;
    void *address = dlsym(RTLD_DEFAULT, name);
    if (address == NULL || dladdr1(address, &info, (void **)&symbol, RTLD_DL_SYMENT) == 0) {
        return "nobody";
    }
    /* An executable at a fixed address that takes a function's address has an entry for it that is undefined but has
     * a value; its calls go on to the next object in the search order. */
    if (symbol != NULL && symbol->st_shndx == SHN_UNDEF &&
        ((address = dlsym(RTLD_NEXT, name)) == NULL || dladdr(address, &info) == 0)) {
        return "nobody";
    }
    return info.dli_fname;
}

__attribute__((constructor)) static void say_who_answers(void) {
    static char line[LINE_MAX_BYTES];
    int length = snprintf(line, sizeof line, "start\t%d\t%s", (int)getpid(), executable());
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        length += snprintf(line + length, sizeof line - (size_t)length, "\t%s=%s", NAMES[i], definer(NAMES[i]));
    }
    length += snprintf(line + length, sizeof line - (size_t)length, "\n");
    record(line, length);
}

__attribute__((destructor)) static void say_what_glibc_gave(void) {
    /* Asked of libc itself: an allocator may have a mallinfo2 of its own. */
    void *libc = dlopen("libc.so.6", RTLD_NOLOAD | RTLD_LAZY);
    struct mallinfo2 (*mallinfo2_of_libc)(void) = NULL;
    if (libc != NULL) {
        *(void **)&mallinfo2_of_libc = dlsym(libc, "mallinfo2");
    }
    if (mallinfo2_of_libc == NULL) {
        abort();
    }
    struct mallinfo2 given = mallinfo2_of_libc();
    static char line[LINE_MAX_BYTES];
    int length =
        snprintf(line, sizeof line, "end\t%d\t%s\t%zu\n", (int)getpid(), executable(), given.arena + given.hblkhd);
    record(line, length);
}
