/* SPDX-License-Identifier: MIT */
/* Paths of calls that were unwound before, so that a loop that allocates is unwound once.
 *
 * Where unwinding leads is a function of the innermost frame's registers and of the words of the stack that it reads: return
 * addresses and, for functions that address their frame by the frame pointer, saved frame pointers. The unwinder does not say
 * which words it read, so a path is kept with every word that may have been one of them, and found again only where all
 * of these are as they were:
 *
 *   - the word below each frame's end, which is the return address;
 *   - where a frame's frame pointer points into it, so that its end may depend on it: the words of that frame that equal
 *     its end, and the words of the frames below that equal this frame pointer, inwards to the frame that changed it.
 *
 * The words are compared from the innermost frame outwards. So each lies in a frame that unwinding would reach, and can be
 * read. Not kept are
 *
 *   - paths through code that may be unloaded, in whose place other code may have frames of another size: all but the
 *     program and what was loaded with it;
 *   - paths with a large frame. Between its ends there may be another stack, and pages that are not there; the words of a frame
 *     of at most a page lie on the pages of its ends.
 *
 * No other register is taken for a frame's base: GCC and Clang use none where a function calls another. Assembly may, which
 * then gets the path of an earlier call through the same code.
 *
 * x86-64 only: elsewhere every path is new. A table of fixed size for all threads; who finds an entry in use by another
 * thread, or by the code that a signal interrupted, goes without. Any thread, without a lock. */
#ifndef HAKMEM_SAMPLE_STACK_MEMO_H
#define HAKMEM_SAMPLE_STACK_MEMO_H

#include "hakmem/sample/stack.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Frames that a walk may visit: hakmem's own, the program's call, the callers, and one more to see that there are more. */
#define MEMO_FRAMES_MAX 52u

/* Whether this is a machine whose frames are known here. */
#if defined(__x86_64__)
#define MEMO_IS_KNOWN true
#define MEMO_FRAME_POINTER 6 /* rbp, as DWARF numbers the registers */
#else
#define MEMO_IS_KNOWN false
#define MEMO_FRAME_POINTER 0 /* none */
#endif

struct memo_frame {
    uintptr_t start;         /* the stack pointer in the function, at its call */
    uintptr_t address;       /* where the call returns to */
    uintptr_t frame_pointer; /* the register's value in the function */
};

/* The frames that a walk visited, innermost first: that of the caller of hak_stack_capture. */
struct memo_walk {
    uint32_t count;
    bool is_odd; /* a signal's frame is among them, whose return address is elsewhere */
    struct memo_frame frames[MEMO_FRAMES_MAX];
};

/* Notes what is loaded, which stays. While the process begins: no thread can load a library meanwhile. */
void hak_stack_memo_note_start(void);

/* Makes the table, unless it is there. Without memory there is none. Without hak_stack_memo_note_start only the program, hakmem and
 * the C library are known to stay. */
void hak_stack_memo_init(void);

/* Fills in what a stack has beside its site if a walk from `innermost` that leads to the site was kept and would lead there
 * again. */
bool hak_stack_memo_find(const struct memo_frame *innermost, struct hak_stack *stack);

/* Keeps what the walk found, in the place of another. */
void hak_stack_memo_keep(const struct memo_walk *walk, const struct hak_stack *stack);

/* Calls visit for the table's memory, if there is a table. */
void hak_stack_memo_visit(void (*visit)(void *start, size_t size, void *argument), void *argument);

#ifdef __cplusplus
}
#endif

#endif
