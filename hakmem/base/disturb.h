/* SPDX-License-Identifier: MIT */
/* Delays at the points of the protocols where another thread's step may come between two of ours, for //tests/races, in builds
 * with --//hakmem/flags:disturb. In all others DISTURB() is nothing, and no code of it exists.
 *
 * A point does nothing at most times, gives the processor away at some, and now and then waits for some ten microseconds, which is
 * long enough for all other threads to come by. HAK_DISTURB_SEED in the environment says what each thread's points do, in the order
 * in which threads first come to one; without it, or with 0, they do nothing. Any thread, with any locks held; keeps errno. */
#ifndef HAKMEM_BASE_DISTURB_H
#define HAKMEM_BASE_DISTURB_H

/* The build setting defines it; what is built without Bazel is never disturbed. */
#ifndef HAK_DISTURB
#define HAK_DISTURB 0
#endif

#if HAK_DISTURB

#ifdef __cplusplus
extern "C" {
#endif

void hak_disturb(void);

#ifdef __cplusplus
}
#endif

#define DISTURB() hak_disturb()

#else

#define DISTURB() ((void)0)

#endif

#endif
