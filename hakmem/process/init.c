/* SPDX-License-Identifier: MIT */
/* What happens when the program or the library is loaded.
 *
 * Whoever calls earlier, a constructor of another library say, initialises the process by that call; both are in the
 * one thread that exists by then. So what hak_process_begin writes is constant for every further thread. */
#include "hakmem/base/compiler.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/process/fork.h"
#include "hakmem/process/sanitizer.h"

/* 101: the first of the constructors with a priority that programs may use. */
__attribute__((constructor(101))) static void init_process(void) {
    hak_sanitizer_refuse();
    hak_os_init();
    hak_fork_init();
    hak_process_begin();
}
