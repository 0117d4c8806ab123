/* SPDX-License-Identifier: MIT */
/* Reports of misuse; the contract is in misuse.h.
 *
 * Any thread, any lock; owns nothing. Reads hak_options, which is constant once the allocator is initialised
 * and says "abort" before that. */
#include "hakmem/misuse/misuse.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "hakmem/base/compiler.h"
#include "hakmem/base/options.h"
#include "hakmem/base/quiet.h"
#include "hakmem/base/text.h"
#include "hakmem/flags/guard.h"
#include "hakmem/os/maps.h"
#include "hakmem/os/os.h"

void (*hak_misuse_sites_of)(const void *block, struct hak_misuse_sites *sites);

/* "the block of 64 bytes", or "the block" where its size is not known. */
static void line_block(struct hak_text *line, size_t block_size) {
    hak_text_add(line, "the block");
    if (block_size == 0) return;
    hak_text_add(line, " of ");
    hak_text_add_decimal(line, block_size);
    hak_text_add(line, " bytes");
}

static void line_misuse(struct hak_text *line, enum hak_misuse kind, size_t block_size) {
    switch (kind) {
    case HAK_MISUSE_FOREIGN: hak_text_add(line, "foreign pointer: not a block of hakmem"); return;
    case HAK_MISUSE_INTERIOR:
        hak_text_add(line, "interior pointer: not the start of ");
        line_block(line, block_size);
        return;
    case HAK_MISUSE_DOUBLE_FREE:
    case HAK_MISUSE_FREED:
        hak_text_add(line, kind == HAK_MISUSE_FREED ? "use after free: " : "double free: ");
        line_block(line, block_size);
        hak_text_add(line, " is free already");
        return;
    case HAK_MISUSE_SIZE:
        hak_text_add(line, "wrong size: the size given does not fit ");
        line_block(line, block_size);
        return;
    case HAK_MISUSE_ALIGNMENT:
        hak_text_add(line, "wrong alignment: the alignment given does not fit ");
        line_block(line, block_size);
        return;
    case HAK_MISUSE_OVERFLOW:
        hak_text_add(line, "overflow: bytes behind ");
        line_block(line, block_size);
        hak_text_add(line, " were written");
        return;
    case HAK_MISUSE_WRITE_AFTER_FREE:
        hak_text_add(line, "write after free: ");
        line_block(line, block_size);
        hak_text_add(line, " was written while it was free");
        return;
    }
    hak_text_add(line, "misuse");
}

#define MORE "\nhakmem:   "

/* Callers in a report: as many as the line has room for in most programs. */
#define CALLERS_MOST 12

/* "called from 0x55d0c8a7e1b3: /usr/bin/true+0x11b3" */
static void line_site(struct hak_text *line, const struct maps *maps, const char *what, const void *site) {
    if (site == NULL) return;
    hak_text_add(line, MORE);
    hak_text_add(line, what);
    hak_text_add(line, " ");
    hak_text_add_address(line, (uintptr_t)site);
    hak_maps_add_module(line, maps, (uintptr_t)site);
}

static void line_thread(struct hak_text *line, const char *what, uint64_t number) {
    if (number == 0) return;
    hak_text_add(line, what);
    hak_text_add_decimal(line, number);
}

static void line_details(struct hak_text *line, const struct hak_misuse_report *report) {
    struct hak_misuse_sites sites = {0};
    hak_text_add(line, MORE "by tid ");
    hak_text_add_decimal(line, hak_os_thread_id());
    line_thread(line, ", thread ", report->thread);
    if (report->block != NULL) {
        hak_text_add(line, MORE "block ");
        hak_text_add_address(line, (uintptr_t)report->block);
        hak_text_add(line, " of ");
        hak_text_add_decimal(line, report->block_size);
        hak_text_add(line, " bytes, class ");
        hak_text_add_decimal(line, report->class_index);
        line_thread(line, ", slab of thread ", report->owner);
    }
    /* Nothing may be left of a block that was freed but what is known of its calls. */
    if (hak_misuse_sites_of != NULL) hak_misuse_sites_of(report->block != NULL ? report->block : report->p, &sites);
    struct maps maps;
    (void)hak_maps_read(&maps); /* without, the sites stand alone */
    line_site(line, &maps, "called from", report->caller);
    /* Before the callers: with long paths there may be no room for all of these. */
    line_site(line, &maps, "freed before from", sites.freed);
    line_site(line, &maps, "allocated from", sites.allocated);
    for (size_t i = 0; i < sites.caller_count && i < CALLERS_MOST; i++) {
        line_site(line, &maps, "  called from", (const void *)(uintptr_t)sites.callers[i]);
    }
    hak_maps_free(&maps);
}

/* Where the thread's stack was when it came to abort here; 0: it did not. A child of fork has its parent's. */
static HAK_THREAD_LOCAL uintptr_t misuse_aborts_at;

/* A late report aborts in the middle of an exchange. Where the program handles SIGABRT and allocates there, as those do that print a
 * backtrace, that exchange finds the same block again. So whatever the thread finds in its handler, which blocks the signal, it leaves
 * alone, and the handler goes on. Else it would call abort, and that the handler again, as long as the stack lasts. A thread that has
 * left its handler by longjmp is higher up its stack again. `here` is the frame of the reporting function, and so it is in misuse_abort: a
 * frame of their own would depend on which functions the compiler makes one. */
static bool misuse_is_handled(uintptr_t here) {
    stack_t stack;
    if (misuse_aborts_at == 0 || !hak_quiet_blocks(SIGABRT)) return false;
    return here < misuse_aborts_at || (sigaltstack(NULL, &stack) == 0 && (stack.ss_flags & SS_ONSTACK) != 0);
}

__attribute__((noreturn)) static void misuse_abort(uintptr_t here) {
    misuse_aborts_at = here;
    abort();
}

void hak_report_misuse_of(const struct hak_misuse_report *report) {
    const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if (hak_options.on_misuse == HAK_ON_MISUSE_IGNORE || misuse_is_handled(here)) return;
    TEXT_LINE(line);
    hak_text_add(&line, "hakmem: ");
    hak_text_add(&line, report->operation);
    hak_text_add(&line, "(");
    hak_text_add_address(&line, (uintptr_t)report->p);
    hak_text_add(&line, "): ");
    line_misuse(&line, report->kind, report->block_size);
    if (report->is_late) hak_text_add(&line, ", found at a later exchange");
    if (HAK_GUARD_EXACT) line_details(&line, report);
    hak_text_write_line(&line, STDERR_FILENO);
    if (hak_options.on_misuse == HAK_ON_MISUSE_ABORT) misuse_abort(here);
}

void hak_report_corruption(const char *what, const void *where, const char *how) {
    const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    TEXT_LINE(line);
    hak_text_add(&line, "hakmem: ");
    hak_text_add(&line, what);
    hak_text_add(&line, "(");
    hak_text_add_address(&line, (uintptr_t)where);
    hak_text_add(&line, "): corrupted: ");
    hak_text_add(&line, how);
    hak_text_write_line(&line, STDERR_FILENO);
    /* The handler cannot go on with such data as with a wrong call, and abort would call it again. */
    if (misuse_is_handled(here)) (void)signal(SIGABRT, SIG_DFL);
    misuse_abort(here);
}

void hak_report_misuse(enum hak_misuse kind, const char *operation, const void *p, size_t block_size) {
    hak_report_misuse_of(
        &(struct hak_misuse_report){.kind = kind, .operation = operation, .p = p, .block_size = block_size});
}
