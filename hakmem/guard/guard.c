/* SPDX-License-Identifier: MIT */
/* See guard.h. */
#include "hakmem/guard/guard.h"

#include "hakmem/base/warning.h"
#include "hakmem/guard/canary.h"
#include "hakmem/guard/pages.h"
#include "hakmem/guard/quarantine.h"
#include "hakmem/guard/random.h"
#include "hakmem/guard/zero_size.h"

static void guard_switch_off(enum hak_feature feature, const char *name) {
    hak_options.guard &= ~(unsigned)feature;
    hak_report_warning("not to be had, the program goes on without", name, "allow the process more address space");
}

void hak_guard_init(void) {
    hak_guard_random_init();
    hak_canary_init();
    if (guard_has(HAK_FEATURE_PAGES) && hak_pages_init() != 0) {
        guard_switch_off(HAK_FEATURE_PAGES, "HAKMEM_GUARD=pages");
    }
    if (guard_has(HAK_FEATURE_ZERO_SIZE) && hak_zero_size_init() != 0) {
        guard_switch_off(HAK_FEATURE_ZERO_SIZE, "HAKMEM_GUARD=zero_size");
    }
}

void hak_guard_fork_child(void) { hak_guard_random_fork_child(); }
