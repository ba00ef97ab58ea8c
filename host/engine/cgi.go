package engine

import (
	"bytes"
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/agora-host/agora/abi"
)

// maxHeaderBytes bounds the header block of a response.
const maxHeaderBytes = 64 << 10

// environment returns the meta-variables of a CGI program (RFC 3875 section 4.1), and the ones
// beside them that Apache and net/http/cgi set: HTTPS, REQUEST_SCHEME and REQUEST_URI. The node
// authenticates no user of an app and has no files of it, so AUTH_TYPE, REMOTE_IDENT, REMOTE_USER
// and PATH_TRANSLATED are never set. The node's own environment is not in it.
func environment(r *abi.Request) []string {
	scheme, proto := cmp.Or(r.Scheme, "http"), cmp.Or(r.Proto, "HTTP/1.1")
	name, port := serverName(r.Host, scheme)
	uri := r.Path
	if r.Query != "" {
		uri += "?" + r.Query
	}
	env := []string{
		"GATEWAY_INTERFACE=CGI/1.1", "SERVER_PROTOCOL=" + proto, "SERVER_SOFTWARE=agora",
		"REQUEST_METHOD=" + r.Method, "REQUEST_URI=" + uri, "SCRIPT_NAME=", "PATH_INFO=" + pathInfo(r.Path), "QUERY_STRING=" + r.Query,
		"REQUEST_SCHEME=" + scheme, "SERVER_NAME=" + name, "SERVER_PORT=" + port, "HTTP_HOST=" + r.Host,
	}
	if scheme == "https" {
		env = append(env, "HTTPS=on")
	}
	if r.Client != "" { // its name is not looked up, and may be replaced by its address
		env = append(env, "REMOTE_ADDR="+r.Client, "REMOTE_HOST="+r.Client)
	}
	if len(r.Body) > 0 || slices.ContainsFunc(r.Header, func(f abi.Field) bool { return strings.EqualFold(f.Name, "Content-Length") }) {
		env = append(env, "CONTENT_LENGTH="+strconv.Itoa(len(r.Body)))
	}
	return headerVariables(env, r.Header)
}

// headerVariables appends one variable for each name of a header. Several values of a name are
// joined as the field's rule has it (RFC 3875 section 4.1.18, RFC 9110 section 5.3, RFC 6265
// section 5.4).
func headerVariables(env []string, header []abi.Field) []string {
	at := make(map[string]int, len(header))
	for _, f := range header {
		name := "HTTP_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		separator := ", "
		switch name {
		case "HTTP_CONTENT_LENGTH", "HTTP_HOST", "HTTP_PROXY": // the last would be obeyed by libraries
			continue
		case "HTTP_CONTENT_TYPE":
			name = "CONTENT_TYPE"
		case "HTTP_COOKIE":
			separator = "; "
		}
		if i, ok := at[name]; ok {
			env[i] += separator + f.Value
			continue
		}
		at[name] = len(env)
		env = append(env, name+"="+f.Value)
	}
	return env
}

// serverName splits a Host header. An IPv6 address keeps its brackets.
func serverName(host, scheme string) (name, port string) {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		name, port = host[:i], host[i+1:]
	} else {
		name = host
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return name, port
}

// pathInfo decodes a path, as RFC 3875 section 4.1.5 has it. A zero byte would end the variable,
// so it stays encoded.
func pathInfo(escaped string) string {
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return escaped
	}
	return strings.ReplaceAll(path, "\x00", "%00")
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
