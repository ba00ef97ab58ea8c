// Command hello is the smallest app with Agora's Go SDK: it greets, reads a
// setting and writes a line to its log. It must not keep anything: each request
// runs in an instance of its own.
package main
