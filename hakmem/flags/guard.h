/* SPDX-License-Identifier: MIT */
/* The switch `guard` as values, apart from the other switches: what depends on nothing else is compiled once for
 * each. */
#ifndef HAKMEM_FLAGS_GUARD_H
#define HAKMEM_FLAGS_GUARD_H

#if !defined(HAK_GUARD) || HAK_GUARD < 0 || HAK_GUARD > 2
#error "depend on //hakmem/flags:guards: it defines HAK_GUARD as 0, 1 or 2"
#endif

/* Every invalid free is found by the free itself; full: and much of what is done to blocks besides. */
#define HAK_GUARD_EXACT (HAK_GUARD >= 1)
#define HAK_GUARD_FULL (HAK_GUARD == 2)

#endif
