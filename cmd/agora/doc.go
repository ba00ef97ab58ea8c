// Command agora is the one binary of Agora: the node, and the tool with which
// people and programs speak to it.
//
// It owns flags, environment variables, signals, terminal output and exit
// codes, one file per subcommand. It must not know a rule: what a command may
// do is decided by the node, and what it prints is what the node answered.
//
// Each noun has a type of its own, such as appCommands, with a method for each
// verb. It has what its commands need and no more: a terminal where they need no
// node, a session where they speak to one. Only cli, which makes the tree of
// commands and turns an outcome into an exit status, knows all of them.
//
// Commands run one at a time in one process; there is nothing to lock.
package main
