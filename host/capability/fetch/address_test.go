package fetch

import (
	"net/netip"
	"testing"
)

func TestReachable(t *testing.T) {
	granted := prefixes("10.20.0.0/16", "64:ff9b::/96", "fd00:1::/32")
	for _, c := range []struct {
		addr           string
		alone, granted bool
	}{
		{"93.184.216.34", true, true},
		{"2606:4700::1111", true, true},
		{"::ffff:93.184.216.34", true, true},
		{"0.0.0.0", false, false},
		{"0.1.2.3", false, false},
		{"10.0.0.1", false, false},
		{"10.20.0.1", false, true},
		{"10.21.0.1", false, false},
		{"100.64.0.1", false, false},
		{"100.100.100.200", false, false}, // a cloud's metadata, within CGNAT
		{"127.0.0.1", false, false},
		{"127.255.255.254", false, false},
		{"169.254.169.254", false, false},
		{"172.16.0.1", false, false},
		{"172.32.0.1", true, true}, // just beyond
		{"192.0.0.192", false, false},
		{"192.0.2.1", false, false},
		{"192.168.1.1", false, false},
		{"198.18.0.1", false, false},
		{"198.51.100.1", false, false},
		{"203.0.113.1", false, false},
		{"168.63.129.16", false, false},
		{"224.0.0.1", false, false},
		{"240.0.0.1", false, false},
		{"255.255.255.255", false, false},
		{"::", false, false},
		{"::1", false, false},
		{"::127.0.0.1", false, false}, // IPv4-compatible
		{"::ffff:127.0.0.1", false, false},
		{"::ffff:10.20.0.1", false, true}, // the kernel connects to the IPv4 address
		{"::ffff:0:127.0.0.1", false, false},
		{"64:ff9b::5db8:d822", false, true},  // NAT64 of a public address
		{"64:ff9b::7f00:1", false, false},    // NAT64 of 127.0.0.1
		{"64:ff9b::a9fe:a9fe", false, false}, // and of the metadata
		{"64:ff9b:1::7f00:1", false, false},
		{"100::1", false, false},
		{"2001::1", false, false},              // Teredo
		{"2001:0:7f00:1::", false, false},      //
		{"2001:db8::1", false, false},          //
		{"2002:7f00:1::1", false, false},       // 6to4 of 127.0.0.1
		{"2002:5db8:d822::1", false, false},    // 6to4 of a public one
		{"3fff::1", false, false},              //
		{"5f00::1", false, false},              //
		{"fc00::1", false, false},              //
		{"fd00:1::1", false, true},             //
		{"fd00:ec2::254", false, false},        // a cloud's metadata
		{"fe80::1", false, false},              //
		{"fe80::1%eth0", false, false},         //
		{"2606:4700::1111%eth0", false, false}, // a zone has no business here
		{"fec0::1", false, false}, {"ff02::1", false, false},
	} {
		addr := netip.MustParseAddr(c.addr)
		if got := reachable(addr, nil); got != c.alone {
			t.Errorf("%s: %v", addr, got)
		}
		if got := reachable(addr, granted); got != c.granted {
			t.Errorf("%s with networks granted: %v", addr, got)
		}
	}
}
