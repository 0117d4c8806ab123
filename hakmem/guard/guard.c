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
    report_warning("not to be had, the program goes on without", name, "allow the process more address space");
}

void guard_init(void) {
    guard_random_init();
    canary_init();
    if (guard_has(HAK_FEATURE_PAGES) && pages_init() != 0) {
        guard_switch_off(HAK_FEATURE_PAGES, "HAKMEM_GUARD=pages");
    }
    if (guard_has(HAK_FEATURE_ZERO_SIZE) && zero_size_init() != 0) {
        guard_switch_off(HAK_FEATURE_ZERO_SIZE, "HAKMEM_GUARD=zero_size");
    }
}

void guard_fork_locks(lock_visit *visit, struct lock_fork *fork) {
    quarantine_fork_locks(visit, fork);
    zero_size_fork_locks(visit, fork);
}

void guard_fork_child(void) { guard_random_fork_child(); }
