package metering_test

import (
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/metering"
)

func TestCSV(t *testing.T) {
	r := metering.Report{By: []string{"app", "team"}, Rows: []metering.Row{
		{Group: map[string]string{"app": "shop", "team": `=HYPERLINK("http://evil.example")`}, Usage: metering.Usage{
			Calls: 3, Errors: map[string]uint64{"trap": 1}, Counts: metering.Counts{Instructions: 1 << 60, BytesOut: 2},
			Uses: []abi.Use{{Capability: "fetch", Meter: "calls", Subject: "a.example", N: 1}, {Capability: "fetch", Meter: "calls", Subject: "b.example", N: 2}},
		}},
		{Group: map[string]string{"app": "other", "team": "a, \"b\""}, Usage: metering.Usage{Calls: 1}},
	}}
	var b strings.Builder
	if err := r.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	want := `app,team,calls,failed,instructions,guest_us,host_us,memory_kib_ms,bytes_in,bytes_out,fetch calls
shop,"'=HYPERLINK(""http://evil.example"")",3,1,1152921504606846976,0,0,0,0,2,3
other,"a, ""b""",1,0,0,0,0,0,0,0,0
`
	if b.String() != want {
		t.Errorf("got  %s\nwant %s", b.String(), want)
	}
}
