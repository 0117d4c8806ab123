/* SPDX-License-Identifier: MIT */
/* The callers of a call, by the unwind tables of the program. The unwinder is that of the compiler's runtime, which the recorder
 * has linked in; with glibc 2.35 and later it takes no lock and is safe in signal handlers. It may allocate where a program
 * registered tables of its own: `inside` is set, so that this is not recorded. */
#include "bench/trace/recorder.h"

#include <unwind.h>

/* More functions of the recorder than there are between the program's call and the unwinder. Where the call is not found above so
 * many, it has no callers. */
#define OWN_FRAMES_MAX 16

struct walk {
    const void *caller;
    const void **found;
    unsigned own, count;
    bool is_found;
};

static _Unwind_Reason_Code visit(struct _Unwind_Context *context, void *argument) {
    struct walk *walk = argument;
    int is_exact =
        0; /* the function was interrupted there by a signal: the address is no return address, but looks like one */
    uintptr_t address = _Unwind_GetIPInfo(context, &is_exact);
    if (!walk->is_found) {
        walk->is_found = address == (uintptr_t)walk->caller;
        return walk->is_found || ++walk->own < OWN_FRAMES_MAX ? _URC_NO_REASON : _URC_NORMAL_STOP;
    }
    if (address == 0 || walk->count == recorder_settings.frames) {
        return _URC_NORMAL_STOP;
    }
    walk->found[walk->count++] = (const void *)(address + (is_exact != 0));
    return _URC_NO_REASON;
}

unsigned callers_find(const void *caller, const void *found[TRACE_FRAMES_MAX]) {
    struct walk walk = {.caller = caller, .found = found};
    (void)_Unwind_Backtrace(visit, &walk);
    return walk.count;
}
