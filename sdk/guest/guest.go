package guest

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/agora-host/agora/abi"
)

// Request is an HTTP request as the app sees it.
type Request struct{ abi.Request }

// Response is what the app answers. A Status of 0 means 200.
type Response struct {
	Status int
	Header []abi.Field
	Body   []byte
	// Send, if not nil, is called instead of sending the response at once: it
	// starts the response and sends the rest of it. Package stream sets it.
	Send func(start Response)
}

// Handler serves a request. A panic is the app's failure: the caller sees an
// error page, and the app's log has the stack.
type Handler func(*Request) Response

var handler Handler

// Handle says who answers. Call it once, in an init function: in a module of
// this kind main does not run.
func Handle(h Handler) { handler = h }

// Query reads a parameter of the query; "" if there is none.
func (r *Request) Query(name string) string {
	values, err := url.ParseQuery(r.Request.Query)
	if err != nil {
		return ""
	}
	return values.Get(name)
}

// Form reads a field of a form that was sent in the body; "" if there is none.
func (r *Request) Form(name string) string {
	if !strings.HasPrefix(r.HeaderValue("Content-Type"), "application/x-www-form-urlencoded") {
		return ""
	}
	values, err := url.ParseQuery(string(r.Body))
	if err != nil {
		return ""
	}
	return values.Get(name)
}

// HeaderValue reads the first header of a name, in any case.
func (r *Request) HeaderValue(name string) string {
	for _, f := range r.Header {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// With adds a header.
func (r Response) With(name, value string) Response {
	r.Header = append(r.Header, abi.Field{Name: name, Value: value})
	return r
}

// Text responds with plain text.
func Text(status int, body string) Response {
	return Response{Status: status, Body: []byte(body)}.With("Content-Type", "text/plain; charset=utf-8")
}

// HTML responds with a page. Escape what people wrote, with html.EscapeString.
func HTML(status int, body string) Response {
	return Response{Status: status, Body: []byte(body)}.With("Content-Type", "text/html; charset=utf-8")
}

// JSON responds with a document.
func JSON(status int, v any) Response {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return Response{Status: status, Body: body}.With("Content-Type", "application/json")
}

// Redirect leads the browser on, with a GET.
func Redirect(to string) Response {
	return Response{Status: 303}.With("Location", to)
}

// serve makes one response frame of one request frame, or nil if the response
// was sent already.
func serve(frame []byte) []byte {
	request, err := abi.DecodeRequest(frame)
	if err != nil {
		panic(err)
	}
	if handler == nil {
		panic("no handler: call guest.Handle in an init function")
	}
	response := handler(&Request{request})
	if response.Status == 0 {
		response.Status = 200
	}
	if send := response.Send; send != nil {
		response.Send = nil
		send(response)
		return nil
	}
	return abi.AppendResponse(nil, &abi.Response{Status: response.Status, Header: response.Header, Body: response.Body})
}

// Test calls a handler as the node would, frames and all, for an app's tests.
func Test(h Handler, method, target, body string) Response {
	path, query, _ := strings.Cut(target, "?")
	request := abi.Request{Method: method, Path: path, Query: query, Host: "app.localhost", Client: "192.0.2.1", Scheme: "http", Proto: "HTTP/1.1", Body: []byte(body)}
	if body != "" {
		request.Header = []abi.Field{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}}
	}
	before := handler
	handler = h
	defer func() { handler = before }()
	frame := serve(abi.AppendRequest(nil, &request))
	if frame == nil {
		panic("the answer is streamed: call the handler and stream.Collect instead")
	}
	response, err := abi.DecodeResponse(frame)
	if err != nil {
		panic(err)
	}
	return Response{Status: response.Status, Header: response.Header, Body: response.Body}
}
