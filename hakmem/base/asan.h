/* SPDX-License-Identifier: MIT */
/* AddressSanitizer's interface for allocators that are not its own, and that of LeakSanitizer, which is a part of it.
 *
 * In debug builds, for programs that are linked with the sanitizer; hakmem itself may be compiled with it or not. The sanitizer's
 * functions are found by name when the program is linked or loaded. Any thread. */
#ifndef HAKMEM_BASE_ASAN_H
#define HAKMEM_BASE_ASAN_H

#include "hakmem/base/compiler.h"
#include "hakmem/flags/debug.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of sanitizer/asan_interface.h, which not every compiler brings. NULL in programs without the sanitizer. */
__attribute__((weak, visibility("default"))) extern void __asan_poison_memory_region(const volatile void *start,
                                                                                     size_t size);

/* Whether the sanitizer is there, began before hakmem did, and takes an allocator's word: its option allow_user_poisoning is on, as it
 * is by default. The same for all of the process's life. The functions below are only for where it is so. */
#define ASAN_WORKS() (HAK_DEBUG && &__asan_poison_memory_region != NULL && hak_asan_works())
bool hak_asan_works(void);

/* From now on an access to the bytes is reported: they are poisoned. pre: they end at a multiple of eight, or what lies behind them up
 * to the next one is poisoned as well */
void hak_asan_hide(void *start, size_t size);

/* From now on none is. Also called before memory is unmapped: poison stays at its address, and a later mapping would have it. */
void hak_asan_show(void *start, size_t size);

/* From now on a block of the sanitizer's malloc is no leak if a pointer in the range leads to it that is not poisoned. The range may be
 * mapped in parts only. */
void hak_asan_add_root(void *start, size_t size);

/* Undoes that. pre: exactly that range was given to hak_asan_add_root */
void hak_asan_remove_root(void *start, size_t size);

/* Writes the calls that lead here to where the sanitizer reports. */
void hak_asan_print_calls(void);

#ifdef __cplusplus
}
#endif

#endif
