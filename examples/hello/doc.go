// Command hello is the smallest app with Agora's Go SDK: it greets, reads a
// setting and writes a line to its log. It must not keep anything: what a
// request leaves in variables is gone after it.
package main
