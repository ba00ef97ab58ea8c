//go:build !linux

package engine_test

import (
	"io"
	"os"
)

func childInput([]string) io.Reader { return os.Stdin }
