/* SPDX-License-Identifier: MIT */
/* What the wrong calls share. They are written against C's and C++'s own names, so that the same program runs under any
 * allocator that is preloaded.
 *
 * A case prepares a pointer, announces it on standard output, makes one wrong call, and says when that call has
 * returned: who catches misuse at once never lets it come to that. Nothing here allocates but what a case is about. */
#ifndef TESTS_MISUSE_CASES_CASE_H
#define TESTS_MISUSE_CASES_CASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A pointer that the wrong call is made on. */
struct misuse_pointer {
    const char *name;
    bool sized; /* depends on the size of a block */
    char *(*make)(size_t size);
};

/* The wrong call: it is right for the start of a live block, and for no other pointer. */
struct misuse_operation {
    const char *name;
    void (*call)(char *p, size_t size);
};

/* A case that is more than a call on a pointer; it announces itself. */
struct misuse_case {
    const char *name;
    bool sized;
    bool full; /* beyond invalid frees: for guard full */
    void (*run)(size_t size);
};

/* Each ends with an entry whose name is NULL. */
extern const struct misuse_pointer misuse_pointers[];
extern const struct misuse_operation misuse_operations[];
extern const struct misuse_case misuse_sized_frees[];
extern const struct misuse_case misuse_accesses[];
extern const struct misuse_case misuse_controls[];

/* "wrong call on 0x..." */
void misuse_announce(const void *p);

/* "returned" */
void misuse_returned(void);

/* Runs it in a thread of its own, to its end. */
void misuse_in_thread(void (*body)(void *argument), void *argument);

/* The least power of two that p is no multiple of. */
size_t misuse_alignment_unlike(const void *p);

#ifdef __cplusplus
}
#endif

#endif
