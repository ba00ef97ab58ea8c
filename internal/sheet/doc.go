// Package sheet writes comma-separated values that programs and spreadsheets both read. It is the
// only writer of CSV in the product.
//
// A file is RFC 4180: CRLF ends each record, and quotes stand around each text that needs them.
// Numbers stay numbers. A text that Excel, LibreOffice or Google Sheets would run as a formula gets
// an apostrophe in front; Unescape takes it away, so that every text can be read back as it was.
//
// It must not know what a column means. A Writer is for one goroutine.
package sheet
