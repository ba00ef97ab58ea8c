// Package telemetry writes metrics in the Prometheus text format, version 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/).
//
// Invariants: a family is written once, its help and type before its samples;
// text from outside is escaped, and ends no line; a histogram's buckets are
// cumulative and end with +Inf.
//
// It must not know what is measured.
//
// A Histogram is safe for concurrent use; a Page belongs to one goroutine.
package telemetry
