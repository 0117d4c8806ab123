/* SPDX-License-Identifier: MIT */
/* See stack_capture.h. */
#include "hakmem/sample/stack_capture.h"

#include <link.h>
#include <sys/auxv.h>
#include <unwind.h>

#include "hakmem/base/options.h"
#include "hakmem/sample/find_object.h"
#include "hakmem/sample/stack_memo.h"

HAK_STATIC_ASSERT(PROFILE_FRAMES_MAX == STACK_CALLERS_MAX, "the option's callers have room");

/* More functions of hakmem than any build has between the program's call and the unwinder. Where the call is not found
 * above so many, `site` is no call. */
#define STACK_OWN_FRAMES_MAX 16
HAK_STATIC_ASSERT(STACK_OWN_FRAMES_MAX + STACK_CALLERS_MAX + 2 <= MEMO_FRAMES_MAX, "all frames are noted");

/* Set while the thread is in the unwinder, which may allocate where a program registered tables of its own. */
static HAK_THREAD_LOCAL bool stack_is_walking;

struct stack_walk {
    struct hak_stack *stack;
    struct memo_walk *memo;
    uintptr_t call;  /* where the program's call returns to */
    uintptr_t start; /* of the innermost frame that is noted */
    uintptr_t last;  /* that was found */
    bool is_found;
    bool is_ended; /* by the outermost frame, which the address 0 follows, or by the option */
};

/* The unwinder reads a register from where a function saved it, through a null pointer for a register that none saves. So it is
 * asked only where MEMO_FRAME_POINTER names one. */
static uintptr_t stack_frame_pointer(struct _Unwind_Context *context) {
    return MEMO_IS_KNOWN ? _Unwind_GetGR(context, MEMO_FRAME_POINTER) : 0;
}

/* Notes the frame for stack_memo.h. Left out are the first ones, up to hak_stack_capture's own, and the address 0 that follows
 * the outermost. */
static void stack_note(struct stack_walk *walk, struct _Unwind_Context *context, uintptr_t address, bool is_exact) {
    struct memo_walk *memo = walk->memo;
    const uintptr_t start = _Unwind_GetCFA(context);
    if (address != 0 && start >= walk->start && memo->count < MEMO_FRAMES_MAX) {
        memo->frames[memo->count++] = (struct memo_frame){
            .start = start,
            .address = address,
            .frame_pointer = stack_frame_pointer(context),
        };
    }
    memo->is_odd |= is_exact;
}

static _Unwind_Reason_Code stack_visit(struct _Unwind_Context *context, void *argument) {
    struct stack_walk *walk = argument;
    struct hak_stack *stack = walk->stack;
    int is_exact = 0; /* the function was interrupted there by a signal: the address is no return address */
    const uintptr_t address = _Unwind_GetIPInfo(context, &is_exact);
    stack_note(walk, context, address, is_exact != 0);
    if (!walk->is_found) {
        walk->is_found = address == walk->call;
        return walk->is_found || walk->memo->count < STACK_OWN_FRAMES_MAX ? _URC_NO_REASON : _URC_NORMAL_STOP;
    }
    if (address == 0 || stack->count == (uint32_t)hak_options.profile_frames) {
        stack->is_cut = address != 0;
        walk->is_ended = true;
        return _URC_NORMAL_STOP;
    }
    walk->last = address;
    stack->callers[stack->count++] = is_exact != 0 ? address : address - 1;
    return _URC_NO_REASON;
}

/* More than the code at the dynamic linker's entry has, which calls the constructors of all libraries. */
#define STACK_ENTRY_BYTES 256u

/* Whether the kernel called that function: the dynamic linker's entry has no table, and no callers either. */
static bool stack_is_entry(uintptr_t address) {
    const ElfW(Ehdr) *linker = (const ElfW(Ehdr) *)getauxval(AT_BASE);
    return linker != NULL && address - ((uintptr_t)linker + linker->e_entry) < STACK_ENTRY_BYTES;
}

/* The frame of the function that called hak_stack_capture, whose own frame begins with the saved frame pointer and ends
 * with the return address: so do the frames of all functions that ask for their address. */
static struct memo_frame stack_innermost(const uintptr_t *own) {
    return (struct memo_frame){.start = (uintptr_t)(own + 2), .address = own[1], .frame_pointer = own[0]};
}

static HAK_COLD void stack_unwind(struct hak_stack *stack, const struct memo_frame *innermost) {
    struct memo_walk memo;
    struct stack_walk walk = {
        .stack = stack, .memo = &memo, .call = (uintptr_t)stack->site + 1, .start = innermost->start, .last = 0};
    memo.count = 0;
    memo.is_odd = false;
    stack_is_walking = true;
    if (find_object_works()) {
        (void)_Unwind_Backtrace(stack_visit, &walk);
    }
    stack_is_walking = false;
    stack->is_open = walk.is_found && !walk.is_ended && !stack_is_entry(walk.last);
    hak_stack_memo_keep(&memo, stack);
}

__attribute__((noinline)) bool hak_stack_capture(struct hak_stack *stack, const void *site) {
    stack->site = (uintptr_t)site;
    stack->count = 0;
    stack->is_cut = false;
    stack->is_open = false;
    if (hak_options.profile_frames == 0 || stack_is_walking) {
        return false;
    }
    const struct memo_frame innermost = stack_innermost(__builtin_frame_address(0));
    const bool is_known = hak_stack_memo_find(&innermost, stack);
    if (!is_known) {
        stack_unwind(stack, &innermost);
    }
    return !is_known;
}
