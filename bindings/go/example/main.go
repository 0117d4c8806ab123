// SPDX-License-Identifier: MIT

// The example allocates through C and sees each block in the statistics.
package main

// #include <stdlib.h>
import "C"

import (
	"fmt"
	"os"
	"unsafe"

	"hakmem"
)

const blocks = 1000

func main() {
	before := hakmem.Read().LiveBlocks
	var held [blocks]unsafe.Pointer
	for i := range held {
		held[i] = C.malloc(100)
	}
	counted := hakmem.Read().LiveBlocks - before
	for _, block := range held {
		C.free(block)
	}
	fmt.Printf("hakmem %s counts %d of %d blocks\n", hakmem.Version(), counted, blocks)
	if counted < blocks {
		os.Exit(1)
	}
}
