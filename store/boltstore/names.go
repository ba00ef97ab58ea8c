package boltstore

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// recordName says in words what a record is, for people who have to decide
// about it. What it cannot read it quotes.
func recordName(bucket string, key []byte) string {
	app, rest, _ := strings.Cut(string(key), "\x00")
	switch {
	case bucket == bApps:
		return fmt.Sprintf("app %q", key)
	case bucket == bReleases && len(rest) == 8:
		return fmt.Sprintf("release %d of %q", readNumber(rest), app)
	case bucket == bActivations && len(rest) == 8:
		return fmt.Sprintf("activation %d of %q", readNumber(rest), app)
	case bucket == bRequests && len(key) == 8:
		return fmt.Sprintf("request req-%d", readNumber(string(key)))
	case bucket == bEvents && len(key) == 16:
		return fmt.Sprintf("event %d of revision %d", readNumber(string(key[8:])), readNumber(string(key)))
	case (bucket == bUsage || bucket == bHours) && len(key) > 18:
		return usageName(key)
	case bucket == bUses && len(rest) == 8 && readNumber(rest) == allReleases:
		return fmt.Sprintf("what all releases of %q used", app)
	case bucket == bUses && len(rest) == 8:
		return fmt.Sprintf("what release %d of %q used", readNumber(rest), app)
	case bucket == bSecrets:
		return fmt.Sprintf("secret %q of app %q", rest, app)
	case bucket == bAudiences:
		return fmt.Sprintf("who may open the %s tier of app %q", rest, app)
	case bucket == bAccess:
		return fmt.Sprintf("a request for access to app %q (%s)", app, strings.ReplaceAll(rest, "\x00", " "))
	case bucket == bDays && len(key) == 8:
		return "usage of the day " + time.Unix(int64(min(binary.BigEndian.Uint64(key), 1<<40)), 0).UTC().Format(time.DateOnly)
	case bucket == bCounts:
		return fmt.Sprintf("the count %q", strings.ReplaceAll(string(key), "\x00", " "))
	case bucket == bQuotas:
		of, quota, _ := strings.Cut(rest, "\x00")
		return fmt.Sprintf("the quota %q of %s %q", quota, app, of)
	case bucket == bUnnamed:
		return fmt.Sprintf("the note that no release names %s", key)
	case bucket == bPersons:
		return fmt.Sprintf("the person that %q refers to", key)
	case bucket == bGroups:
		return fmt.Sprintf("group %q", key)
	case bucket == bMembers:
		return fmt.Sprintf("the membership of %q in group %q", rest, app)
	case bucket == bLinks:
		return "the record that says whether sign-in links are taken"
	case bucket == bProvisioned:
		return fmt.Sprintf("the person %q of the provider %q", rest, app)
	case bucket == bProvisionings:
		return fmt.Sprintf("the provider %q", key)
	case bucket == bAccounts:
		return fmt.Sprintf("the account %s at a sign-in provider", key)
	case bucket == bNotices:
		return fmt.Sprintf("the notice %s to %q", rest, app)
	case bucket == bNoticeSettings:
		return fmt.Sprintf("how %q is told", key)
	case bucket == bOutbox:
		return fmt.Sprintf("the %s delivery to %q", app, strings.ReplaceAll(rest, "\x00", " "))
	case bucket == bCursors:
		return fmt.Sprintf("the cursor of the follower %q", key)
	case bucket == bData:
		return fmt.Sprintf("key %q of app %q", rest, app)
	case bucket == bBlobs:
		return fmt.Sprintf("blob %q of app %q", rest, app)
	case bucket == bBlobsUsed:
		return fmt.Sprintf("the byte count of the blobs of app %q", key)
	case bucket == bUsed:
		return fmt.Sprintf("the byte count of app %q", key)
	case bucket == bDeliveries && len(key) == 8:
		return fmt.Sprintf("delivery %d", readNumber(string(key)))
	case bucket == bTriggers:
		return fmt.Sprintf("the state of trigger %q of app %q", strings.ReplaceAll(rest, "\x00", " "), app)
	case bucket == bSeen:
		return fmt.Sprintf("key %q of app %q that was used", rest, app)
	case bucket == bMeta:
		return fmt.Sprintf("the record %q of meta", strings.ReplaceAll(string(key), "\x00", " "))
	}
	return fmt.Sprintf("record %q of %s", key, bucket)
}

// usageName reads as much of a cell's key as is the same in all its forms.
func usageName(key []byte) string {
	hour := time.Unix(int64(min(binary.BigEndian.Uint64(key), 1<<40)), 0).UTC().Format("2006-01-02 15:04")
	for part := range strings.SplitSeq(string(key[8:]), "\x00") {
		if len(part) > 1 && part[0] >= 'a' && part[0] <= 'z' {
			return fmt.Sprintf("usage of app %q in the hour %s", part, hour)
		}
	}
	return fmt.Sprintf("usage in the hour %s (%q)", hour, key)
}

func readNumber(s string) uint64 { return binary.BigEndian.Uint64([]byte(s[:8])) }
