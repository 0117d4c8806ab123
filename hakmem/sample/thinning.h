/* SPDX-License-Identifier: MIT */
/* How a thread that allocates very much takes fewer samples, so that they cost it a bounded share of its time.
 *
 * At one rate for all, a thread that does nothing but take and free large blocks would spend much of its time on samples:
 * of blocks of 256 KiB the default rate takes two in five. So it thins them out: a mark (chance.h) counts with a chance of
 * 1 / 2^thinning, which is the same as a rate so many times larger. A record keeps the rate of its samples, and whether a
 * thread thins out follows from samples before, never from the block that is sampled next: estimates stay unbiased.
 *
 * A sample costs THINNING_FOUND where its path of calls is known already, and THINNING_UNWOUND where it was unwound. A thread
 * that spends THINNING_SPENT within THINNING_PERIOD_MS takes a quarter of the samples from its next draws on; one that spends
 * less than an eighth of it takes four times as many, and all of them after THINNING_FORGET_MS without a sample. */
#ifndef HAKMEM_SAMPLE_THINNING_H
#define HAKMEM_SAMPLE_THINNING_H

#include "hakmem/magazine/record.h"

/* Costs, in units of a sample whose path is known: 0.2 us with its free. An unwound path of a few callers takes 1 to 5 us. */
#define THINNING_FOUND 1u
#define THINNING_UNWOUND 16u

/* So many samples in such a time are less than a hundredth of it. */
#define THINNING_SPENT 256u
#define THINNING_PERIOD_MS 8u
#define THINNING_FORGET_MS 1000u

/* Steps of the exponent, and the most that it becomes: a rate of 128 MiB. */
#define THINNING_STEP 2u
#define THINNING_MOST 8u

/* The same for huge blocks, a rate of 8 MiB: few of them are much, and what they cost besides is more. */
#define THINNING_HUGE_MOST 4u

/* A sample of that cost was taken at `now_ms`: the thread's thinning for what it draws next is in `chance`. By the thread */
void hak_thinning_note(struct hak_thread_chance *chance, unsigned cost, uint64_t now_ms);

#endif
