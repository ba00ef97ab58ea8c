//go:build race

package engine_test

// raceDetector: it reserves so much address space for itself that a limit on the
// worker's memory cannot be tried with it.
const raceDetector = true
