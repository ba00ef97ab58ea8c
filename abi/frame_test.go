package abi_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"reflect"
	"testing"

	"github.com/agora-host/agora/abi"
)

var request = abi.Request{
	Method: "POST", Path: "/a%20b", Query: "x=1", Host: "hello.localhost:8080",
	Header: []abi.Field{{Name: "Accept", Value: "*/*"}, {Name: "X", Value: ""}}, Body: []byte("body"),
	Client: "2001:db8::1", Scheme: "https", Proto: "HTTP/1.1",
}

var response = abi.Response{Status: 201, Header: []abi.Field{{Name: "Content-Type", Value: "text/plain"}}, Body: []byte("hi")}

func TestFramesRoundTrip(t *testing.T) {
	// Behind other bytes, because offsets count from the frame and not from the slice.
	q, err := abi.DecodeRequest(abi.AppendRequest([]byte("before"), &request)[6:])
	if err != nil || !reflect.DeepEqual(q, request) {
		t.Errorf("request = %+v, %v", q, err)
	}
	if size := len(abi.AppendRequest(nil, &request)); size != abi.RequestSize(&request) {
		t.Errorf("the request has %d bytes, and RequestSize says %d", size, abi.RequestSize(&request))
	}
	p, err := abi.DecodeResponse(abi.AppendResponse([]byte("before"), &response)[6:])
	if err != nil || !reflect.DeepEqual(p, response) {
		t.Errorf("response = %+v, %v", p, err)
	}
}

// TestEarlierRequest: a frame of before there was a client is read, and says nothing of one.
func TestEarlierRequest(t *testing.T) {
	b := abi.AppendRequest(nil, &request)
	binary.LittleEndian.PutUint32(b[4:], 64)
	q, err := abi.DecodeRequest(b)
	want := request
	want.Client, want.Scheme, want.Proto = "", "", ""
	if err != nil || !reflect.DeepEqual(q, want) {
		t.Errorf("%+v, %v", q, err)
	}
}

// TestFrameBytes pins the format: compiled guests depend on it.
func TestFrameBytes(t *testing.T) {
	const want = "41475253" + "20000000" + "c9000000" + "01000000" + "20000000" + "10000000" + "46000000" + "02000000" +
		"30000000" + "0c000000" + "3c000000" + "0a000000" +
		"436f6e74656e742d54797065" + "746578742f706c61696e" + "6869"
	if got := hex.EncodeToString(abi.AppendResponse(nil, &response)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// repeated is a response of many headers whose names are all the whole frame.
func repeated() []byte {
	b := abi.AppendResponse(nil, &abi.Response{Status: 200, Header: make([]abi.Field, abi.MaxHeaders)})
	for at := 32; at < len(b); at += 16 {
		binary.LittleEndian.PutUint32(b[at:], 0)
		binary.LittleEndian.PutUint32(b[at+4:], uint32(len(b)))
	}
	return b
}

func TestMalformedFrames(t *testing.T) {
	patch := func(at int, v uint32) []byte {
		b := abi.AppendResponse(nil, &response)
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	for _, c := range []struct {
		name string
		b    []byte
		part string
	}{
		{"nothing", nil, "header"},
		{"a request", abi.AppendRequest(nil, &request), "magic"},
		{"a short header", patch(4, 31), "header"},
		{"a header beyond the end", patch(4, 1<<31), "header"},
		{"an informational status", patch(8, 101), "status"},
		{"a status of zero", patch(8, 0), "status"},
		{"many headers", patch(12, 1<<31), "headers"},
		{"a table of another size", patch(20, 17), "headers"},
		{"a table outside", patch(16, 0xffffffff), "headers"},
		{"a header name outside", patch(32, 0xffffffff), "header name"},
		{"a header value that is too long", patch(44, 0xffffffff), "header value"},
		{"headers of the same bytes", repeated(), "headers"},
		{"a body outside", patch(24, 0xfffffff0), "body"},
		{"a body whose end wraps around", patch(28, 0xffffffff), "body"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := abi.DecodeResponse(c.b)
			if e, ok := errors.AsType[*abi.FrameError](err); !ok || e.Part != c.part {
				t.Errorf("err = %v, want one about the %s", err, c.part)
			}
		})
	}
}

func TestLongerHeadersAreRead(t *testing.T) {
	b := abi.AppendResponse(nil, &response)
	longer := append(bytes.Clone(b[:32]), 1, 2, 3, 4)
	longer = append(longer, b[32:]...)
	binary.LittleEndian.PutUint32(longer[4:], 36)
	for _, at := range []int{16, 24, 36, 44} {
		binary.LittleEndian.PutUint32(longer[at:], binary.LittleEndian.Uint32(longer[at:])+4)
	}
	if p, err := abi.DecodeResponse(longer); err != nil || !reflect.DeepEqual(p, response) {
		t.Errorf("response = %+v, %v", p, err)
	}
}

func TestFaultKinds(t *testing.T) {
	if got := abi.FaultKind(errors.Join(errors.New("x"), abi.ErrFuelExhausted)); got != "fuel" {
		t.Errorf("FaultKind = %q", got)
	}
	if abi.FaultKind(nil) != "" || abi.FaultKind(errors.New("x")) != "internal" {
		t.Error("nil is no fault, and an unknown error is the node's")
	}
	seen := map[string]bool{}
	for _, k := range abi.FaultKinds() {
		if seen[k] || k == "" {
			t.Errorf("kind %q is there twice, or empty", k)
		}
		seen[k] = true
	}
}

func TestBuildsForGuests(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "build", ".")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(abi.AppendRequest(nil, &request))
	f.Add(abi.AppendResponse(nil, &response))
	f.Fuzz(func(t *testing.T, b []byte) {
		if q, err := abi.DecodeRequest(b); err == nil {
			again, err := abi.DecodeRequest(abi.AppendRequest(nil, &q))
			if err != nil || !reflect.DeepEqual(again, q) || len(abi.AppendRequest(nil, &q)) != abi.RequestSize(&q) {
				t.Fatalf("request %+v became %+v, %v", q, again, err)
			}
		}
		if p, err := abi.DecodeResponse(b); err == nil {
			again, err := abi.DecodeResponse(abi.AppendResponse(nil, &p))
			if err != nil || !reflect.DeepEqual(again, p) {
				t.Fatalf("response %+v became %+v, %v", p, again, err)
			}
		}
	})
}
