/* SPDX-License-Identifier: MIT */
/* Reports of misuse; the contract is in report.h.
 *
 * Any thread, any lock; owns nothing. Reads hak_options, which is constant once the allocator is initialised
 * and says "abort" before that. */
#include "hakmem/base/report.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hakmem/base/line.h"
#include "hakmem/base/module.h"
#include "hakmem/base/options.h"
#include "hakmem/flags/guard.h"

void (*hak_misuse_sites_of)(const void *block, struct hak_misuse_sites *sites);

/* "the block of 64 bytes", or "the block" where its size is not known. */
static void line_block(struct hak_line *line, size_t block_size) {
    hak_line_text(line, "the block");
    if (block_size == 0) return;
    hak_line_text(line, " of ");
    hak_line_decimal(line, block_size);
    hak_line_text(line, " bytes");
}

static void line_misuse(struct hak_line *line, enum hak_misuse kind, size_t block_size) {
    switch (kind) {
    case HAK_MISUSE_FOREIGN: hak_line_text(line, "foreign pointer: not a block of hakmem"); return;
    case HAK_MISUSE_INTERIOR:
        hak_line_text(line, "interior pointer: not the start of ");
        line_block(line, block_size);
        return;
    case HAK_MISUSE_DOUBLE_FREE:
    case HAK_MISUSE_FREED:
        hak_line_text(line, kind == HAK_MISUSE_FREED ? "use after free: " : "double free: ");
        line_block(line, block_size);
        hak_line_text(line, " is free already");
        return;
    case HAK_MISUSE_SIZE:
        hak_line_text(line, "wrong size: the size given does not fit ");
        line_block(line, block_size);
        return;
    case HAK_MISUSE_ALIGNMENT:
        hak_line_text(line, "wrong alignment: the alignment given does not fit ");
        line_block(line, block_size);
        return;
    case HAK_MISUSE_OVERFLOW:
        hak_line_text(line, "overflow: bytes behind ");
        line_block(line, block_size);
        hak_line_text(line, " were written");
        return;
    case HAK_MISUSE_WRITE_AFTER_FREE:
        hak_line_text(line, "write after free: ");
        line_block(line, block_size);
        hak_line_text(line, " was written while it was free");
        return;
    }
    hak_line_text(line, "misuse");
}

#define MORE "\nhakmem:   "

/* "called from 0x55d0c8a7e1b3: /usr/bin/true+0x11b3" */
static void line_site(struct hak_line *line, const char *what, const void *site) {
    if (site == NULL) return;
    struct hak_module module;
    hak_line_text(line, MORE);
    hak_line_text(line, what);
    hak_line_text(line, " ");
    hak_line_pointer(line, site);
    if (!hak_module_find(site, &module)) return;
    hak_line_text(line, ": ");
    hak_line_foreign_text(line, module.path, sizeof module.path);
    hak_line_text(line, "+");
    hak_line_pointer(line, (const void *)module.offset);
}

static void line_thread(struct hak_line *line, const char *what, uint64_t number) {
    if (number == 0) return;
    hak_line_text(line, what);
    hak_line_decimal(line, number);
}

static void line_details(struct hak_line *line, const struct hak_misuse_report *report) {
    struct hak_misuse_sites sites = {NULL, NULL};
    hak_line_text(line, MORE "by tid ");
    hak_line_decimal(line, (uint64_t)syscall(SYS_gettid));
    line_thread(line, ", thread ", report->thread);
    if (report->block != NULL) {
        hak_line_text(line, MORE "block ");
        hak_line_pointer(line, report->block);
        hak_line_text(line, " of ");
        hak_line_decimal(line, report->block_size);
        hak_line_text(line, " bytes, class ");
        hak_line_decimal(line, report->class_index);
        line_thread(line, ", slab of thread ", report->owner);
    }
    /* Nothing may be left of a block that was freed but what is known of its calls. */
    if (hak_misuse_sites_of != NULL) hak_misuse_sites_of(report->block != NULL ? report->block : report->p, &sites);
    line_site(line, "called from", report->caller);
    line_site(line, "allocated from", sites.allocated);
    line_site(line, "freed before from", sites.freed);
}

void hak_report_misuse_of(const struct hak_misuse_report *report) {
    if (hak_options.on_misuse == HAK_ON_MISUSE_IGNORE) return;
    struct hak_line line;
    hak_line_start(&line);
    hak_line_text(&line, "hakmem: ");
    hak_line_text(&line, report->operation);
    hak_line_text(&line, "(");
    hak_line_pointer(&line, report->p);
    hak_line_text(&line, "): ");
    line_misuse(&line, report->kind, report->block_size);
    if (report->is_late) hak_line_text(&line, ", found at a later exchange");
    if (HAK_GUARD_EXACT) line_details(&line, report);
    hak_line_write(&line);
    if (hak_options.on_misuse == HAK_ON_MISUSE_ABORT) abort();
}

void hak_report_misuse(enum hak_misuse kind, const char *operation, const void *p, size_t block_size) {
    hak_report_misuse_of(
        &(struct hak_misuse_report){.kind = kind, .operation = operation, .p = p, .block_size = block_size});
}
