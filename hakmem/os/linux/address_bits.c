/* SPDX-License-Identifier: MIT */
/* How many bits the addresses of this process have.
 *
 * Thread-safe, also before initialisation. The same kernel may have been built for several: arm64 for 36, 39, 42, 47, 48 or
 * 52, riscv64 for 39, 48 or 57 with the half of the kernel. A kernel of more than HAK_ADDRESS_BITS gives out addresses beyond
 * these only to who asks for one there, which hakmem never does (Linux, Documentation/arch/arm64/memory.rst). */
#include <sys/auxv.h>

#include "hakmem/base/config.h"
#include "hakmem/os/linux/linux.h"

/* What no kernel of the processor has less than. */
#if defined(__x86_64__)
#define ADDRESS_BITS_LEAST HAK_ADDRESS_BITS
#else
#define ADDRESS_BITS_LEAST 36u
#endif

/* The stack lies at the upper end of the addresses, less what the kernel draws at random, which is below half of them; the
 * bytes of AT_RANDOM lie on it. An emulator may put the stack lower than it maps libraries, so that this file's own address
 * counts as well. */
unsigned hak_os_address_bits(void) {
    const uint64_t seen = (uint64_t)getauxval(AT_RANDOM) | (uint64_t)(uintptr_t)&hak_os_address_bits;
    const unsigned bits = 64 - (unsigned)__builtin_clzll(seen | 1);
    return bits < ADDRESS_BITS_LEAST ? ADDRESS_BITS_LEAST : bits > HAK_ADDRESS_BITS ? HAK_ADDRESS_BITS : bits;
}
