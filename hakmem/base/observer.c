/* SPDX-License-Identifier: MIT */
/* See observer.h. */
#include "hakmem/base/observer.h"

const struct hak_observer *hak_observer;
