// Command quote is an app without any SDK: an ordinary Go program that reads
// the CGI variables (RFC 3875) and writes a response to standard output. It
// must not need more than WASI preview 1; each request is a run of its own.
package main
