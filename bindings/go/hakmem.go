// SPDX-License-Identifier: MIT

// Package hakmem asks the allocator that serves malloc in this process. Go's own heap does not use malloc: what C code allocates
// through cgo does.
//
// It is linked as pkg-config says; docs/build.md has the command.
package hakmem

// #include <stdlib.h>
// #include <hakmem/hakmem.h>
import "C"

import (
	"syscall"
	"unsafe"
)

// Stats are some of what hak_stats holds.
type Stats struct {
	LiveBlocks, LiveBytes, MappedBytes uint64
}

// Read returns the statistics of the process.
func Read() Stats {
	var stats C.struct_hak_stats
	C.hak_stats_get(&stats)
	total := Stats{MappedBytes: uint64(stats.mapped_bytes)}
	for _, pool := range []C.struct_hak_pool_stats{stats.tiny, stats.l2, stats.l25, stats.huge} {
		total.LiveBlocks += uint64(pool.live_blocks)
		total.LiveBytes += uint64(pool.live_bytes)
	}
	return total
}

// Version is "MAJOR.MINOR.PATCH" of the library.
func Version() string { return C.GoString(C.hak_version()) }

// WriteProfile writes what was sampled, in pprof's format; HAKMEM_PROFILE starts to sample.
func WriteProfile(path string) error {
	text := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	if number := C.hak_profile_write(text); number != 0 {
		return syscall.Errno(number)
	}
	return nil
}
