//go:build !linux

package main

import "time"

var began = time.Now()

// cpuTime is the time on a clock where a thread's is not known.
func cpuTime() time.Duration { return time.Since(began) }

// processTime is the time on a clock where a process's is not known.
func processTime() time.Duration { return cpuTime() }
