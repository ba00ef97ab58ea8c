package engine

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/agora-host/agora/abi"
)

// maxHeaderBytes bounds the header block of a response.
const maxHeaderBytes = 64 << 10

// environment is what a CGI program is told (RFC 3875 section 4.1). The node's
// own environment is not in it.
func environment(r *abi.Request) []string {
	host, port, ok := strings.Cut(r.Host, ":")
	if !ok {
		port = "80"
	}
	env := []string{
		"GATEWAY_INTERFACE=CGI/1.1", "SERVER_PROTOCOL=HTTP/1.1", "SERVER_SOFTWARE=agora",
		"REQUEST_METHOD=" + r.Method, "SCRIPT_NAME=", "PATH_INFO=" + r.Path, "QUERY_STRING=" + r.Query,
		"SERVER_NAME=" + host, "SERVER_PORT=" + port, "HTTP_HOST=" + r.Host,
		"CONTENT_LENGTH=" + strconv.Itoa(len(r.Body)),
	}
	for _, f := range r.Header {
		name := strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		switch name {
		case "CONTENT_TYPE":
			env = append(env, name+"="+f.Value)
		case "CONTENT_LENGTH", "HOST", "PROXY": // Proxy would become HTTP_PROXY, which libraries obey
		default:
			env = append(env, "HTTP_"+name+"="+f.Value)
		}
	}
	return env
}

// howCGI is what each complaint about the form ends with.
const howCGI = "print `Content-Type: text/plain`, an empty line, then the body"

// ParseCGI reads the output of a CGI program (RFC 3875 section 6): header
// lines, an empty line, the body. Lines may end in LF or CRLF. Without a Status
// header the status is 200, or 302 with a Location. Errors wrap
// abi.ErrBadResponse.
func ParseCGI(out []byte) (abi.Response, error) {
	r := abi.Response{Status: 200}
	rest := out
	status := false
	for {
		line, after, ok := bytes.Cut(rest, []byte("\n"))
		if !ok || len(out)-len(after) > maxHeaderBytes {
			return abi.Response{}, badCGI("its output has no empty line after the headers: "+howCGI, out)
		}
		rest = after
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			break
		}
		name, value, ok := strings.Cut(string(line), ":")
		value = strings.Trim(value, " \t")
		if !ok || !httpguts.ValidHeaderFieldName(name) {
			return abi.Response{}, badCGI(fmt.Sprintf("%q is no header line: %s", clip(string(line), 80), howCGI), out)
		}
		if strings.EqualFold(name, "Status") {
			code, err := parseStatus(value)
			if err != nil {
				return abi.Response{}, err
			}
			r.Status, status = code, true
			continue
		}
		if strings.EqualFold(name, "Location") && !status {
			r.Status = 302
		}
		if r.Header = append(r.Header, abi.Field{Name: name, Value: value}); len(r.Header) > abi.MaxHeaders {
			return abi.Response{}, badCGI(fmt.Sprintf("it has more than %d headers", abi.MaxHeaders), out)
		}
	}
	r.Body = rest
	return r, checkHeader(r.Header)
}

func parseStatus(value string) (int, error) {
	digits, _, _ := strings.Cut(value, " ")
	code, err := strconv.Atoi(digits)
	if err != nil || len(digits) != 3 || code < 200 || code > 599 {
		return 0, fmt.Errorf("%w: status %q is not between 200 and 599", abi.ErrBadResponse, clip(value, 40))
	}
	return code, nil
}

func badCGI(what string, out []byte) error {
	if len(bytes.TrimSpace(out)) == 0 {
		what = "it printed nothing: " + howCGI
	}
	return fmt.Errorf("%w: %s", abi.ErrBadResponse, what)
}

// checkHeader refuses what could break out of a header line.
func checkHeader(fields []abi.Field) error {
	total := 0
	for _, f := range fields {
		total += len(f.Name) + len(f.Value) + 4
		if !httpguts.ValidHeaderFieldName(f.Name) {
			return fmt.Errorf("%w: %q is no header name", abi.ErrBadResponse, clip(f.Name, 80))
		}
		if !httpguts.ValidHeaderFieldValue(f.Value) {
			return fmt.Errorf("%w: the value of header %s has characters that are not allowed", abi.ErrBadResponse, f.Name)
		}
	}
	if total > maxHeaderBytes {
		return fmt.Errorf("%w: its headers have %d bytes, more than %d", abi.ErrBadResponse, total, maxHeaderBytes)
	}
	return nil
}
