package log

import "fmt"

const (
	debug byte = iota
	info
	warn
	failure
)

// Debug writes a line that matters to who develops the app.
func Debug(format string, args ...any) { line(debug, format, args) }

// Info writes a line about what happens.
func Info(format string, args ...any) { line(info, format, args) }

// Warn writes a line about what should not happen, and was dealt with.
func Warn(format string, args ...any) { line(warn, format, args) }

// Error writes a line about what went wrong.
func Error(format string, args ...any) { line(failure, format, args) }

// line drops what cannot be logged: an app does not fail for want of a log.
func line(level byte, format string, args []any) {
	write(append([]byte{level}, fmt.Sprintf(format, args...)...))
}
