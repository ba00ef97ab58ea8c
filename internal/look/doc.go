// Package look is the look of pages that stand alone, at addresses where the console's style is not: a
// problem's, and those of the gate at apps' addresses.
//
// It owns their style sheet, and the policy under which browsers show them: the style goes into the page, is
// named by its hash, and nothing else is loaded. It must not know what a page says.
//
// It keeps nothing; its functions are safe for concurrent use.
package look
