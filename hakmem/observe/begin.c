/* SPDX-License-Identifier: MIT */
/* What the observers do when the library is loaded, in the child of a fork, and when the process ends. */
#include "hakmem/base/compiler.h"
#include "hakmem/base/observer.h"
#include "hakmem/base/options.h"
#include "hakmem/observe/end.h"
#include "hakmem/observe/layout.h"
#include "hakmem/observe/profile_page.h"
#include "hakmem/observe/publish.h"
#include "hakmem/process/begin.h"

static void observe_fork_child(bool is_whole) {
    hak_profile_page_fork_child(is_whole);
    hak_publish_fork_child();
}

static const struct hak_observer observe_table = {
    .sample = hak_profile_page_sample,
    .record = hak_profile_page_record,
    .whole = hak_profile_page_whole,
    .fork_child = observe_fork_child,
    .unseen_child = hak_publish_unseen_child,
    .end = hak_observe_end,
};

/* 102: after process/init.c, and before the constructors of the program that name no priority. */
__attribute__((constructor(102))) static void observe_begin(void) {
    hak_process_begin();
    if (hak_options.profile[0] != '\0' || hak_options.leaks || hak_options.publish) {
        hak_profile_page_begin();
    }
    observer_set(&observe_table);
    /* The linker drops what nobody refers to. */
    __asm__ volatile("" : : "r"(&hak_layout));
    hak_observe_end_init();
    hak_publish_init();
}
