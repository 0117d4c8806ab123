/* SPDX-License-Identifier: MIT */
/* _dl_find_object for the unwinder of a gcc that was built for glibc, as Debian's is, in programs of another C library.
 *
 * The unwinder is linked in with the library, and asks for it in every step; without it nothing would link. An address is
 * looked up in what the loader knows by dl_iterate_phdr, as the unwinder of a gcc for musl does itself. The result has the
 * layout that glibc documents (The GNU C Library, "Dynamic Linker Introspection"). Nothing where there is glibc. */
#include "hakmem/sample/find_object.h"

#include <link.h>
#include <pthread.h>

#include "hakmem/base/atomic.h"

#ifndef __GLIBC__

/* The unwinder refers to these weakly, and in a static program takes one of them for a sign that all are there. */
__attribute__((used)) static const struct {
    int (*once)(pthread_once_t *, void (*)(void));
    int (*lock)(pthread_mutex_t *);
    int (*unlock)(pthread_mutex_t *);
    void *(*get)(pthread_key_t);
    int (*set)(pthread_key_t, const void *);
    int (*create)(pthread_key_t *, void (*)(void *));
} find_wanted = {pthread_once,        pthread_mutex_lock,  pthread_mutex_unlock,
                 pthread_getspecific, pthread_setspecific, pthread_key_create};

struct find_object {
    unsigned long long flags;
    void *start, *end;
    struct link_map *link_map;
    void *eh_frame;
#ifndef __x86_64__
    void *eh_dbase;
#endif
    unsigned long long reserved[7];
};

struct find_query {
    uintptr_t address;
    struct find_object *result;
};

static int find_in(struct dl_phdr_info *module, size_t size, void *argument) {
    const struct find_query *query = argument;
    struct find_object found = {.flags = 0};
    bool is_in = false;
    (void)size;
    for (unsigned i = 0; i < module->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &module->dlpi_phdr[i];
        const uintptr_t start = module->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_GNU_EH_FRAME) {
            found.eh_frame = (void *)start;
        } else if (segment->p_type == PT_LOAD && query->address - start < segment->p_memsz) {
            is_in = true;
            found.start = (void *)start;
            found.end = (void *)(start + segment->p_memsz);
        }
    }
    if (!is_in || found.eh_frame == NULL) {
        return 0;
    }
    *query->result = found;
    return 1;
}

/* -1: it is in no object */
int _dl_find_object(void *address, struct find_object *result);
int _dl_find_object(void *address, struct find_object *result) {
    struct find_query query = {(uintptr_t)address, result};
    return dl_iterate_phdr(find_in, &query) == 1 ? 0 : -1;
}

bool hak_find_object_works(void) {
    static uint8_t known; /* atomic; 0: not asked yet, 1: no, 2: yes */
    struct find_object found;
    /* Relaxed, both: every thread finds the same. */
    uint8_t works = hak_load_relaxed(&known);
    if (works == 0) {
        works = _dl_find_object((void *)(uintptr_t)&hak_find_object_works, &found) == 0 ? 2 : 1;
        hak_store_relaxed(&known, works);
    }
    return works == 2;
}

#endif
