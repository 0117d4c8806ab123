/* SPDX-License-Identifier: MIT */
/* Memory orders that hakmem does not need, for mutants: mutants.py puts them in the place of the ones that it has. */
#ifndef TESTS_MUTATE_WEAKER_H
#define TESTS_MUTATE_WEAKER_H

#define weaker_exchange_relaxed(p, v) __atomic_exchange_n((p), (v), __ATOMIC_RELAXED)
#define weaker_fetch_or_relaxed(p, v) __atomic_fetch_or((p), (v), __ATOMIC_RELAXED)
#define weaker_compare_exchange_relaxed(p, expected, desired) \
    __atomic_compare_exchange_n((p), (expected), (desired), 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define weaker_no_fence() ((void)0)

#endif
