/* SPDX-License-Identifier: MIT */
/* Static probes (USDT) for perf, bpftrace and systemtap: a nop each, and a note in the ELF section .note.stapsdt that says where it is
 * and where its arguments are. Only in builds with --//hakmem/flags:usdt=on; in all others the macros below are nothing, so
 * that a build never depends on what is installed. docs/profile.md lists the probes; slow paths have them alone.
 *
 * An argument is an integer or an address, without side effects. */
#ifndef HAKMEM_BASE_PROBE_H
#define HAKMEM_BASE_PROBE_H

/* The build setting defines it; what is built without Bazel has no probes either. */
#ifndef HAK_USDT
#define HAK_USDT 0
#endif

#if HAK_USDT

#if !__has_include(<sys/sdt.h>)
#error "--//hakmem/flags:usdt=on needs sys/sdt.h: install Debian's package systemtap-sdt-dev, or build without the flag"
#endif

#include <sys/sdt.h>

#define PROBE_3(name, a, b, c) DTRACE_PROBE3(hakmem, name, a, b, c)

#else

#define PROBE_3(name, a, b, c) ((void)(a), (void)(b), (void)(c))

#endif

#endif
