// SPDX-License-Identifier: MIT

// Leaks of C code that a Go program calls. It makes them, says "ready", and ends with its standard input.
package main

/*
#include <stdlib.h>

static void *leak_in_c(size_t size) {
	return malloc(size); // line: leak_in_c
}
*/
import "C"

import (
	"bufio"
	"fmt"
	"os"
)

//go:noinline
func remember(size int) {
	C.leak_in_c(C.size_t(size))
}

func main() {
	for i := 0; i < 30; i++ {
		remember(2100)
	}
	C.CString("nobody frees this")
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadString('\n')
}
