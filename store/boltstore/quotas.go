package boltstore

import (
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
)

// quotaReader reads the quotas that operators set.
type quotaReader struct{ in *reader }

// quotaWriter sets quotas.
type quotaWriter struct{ w *writer }

// QuotaSetting returns what was set.
func (q quotaReader) QuotaSetting(per, of, quota string) (access.QuotaSetting, error) {
	return get[access.QuotaSetting](q.in.tx, bQuotas, key(per, of, quota), access.ErrNoQuotaSetting)
}

// QuotaSettingsPart lists a part of what was set, by what it is of.
func (q quotaReader) QuotaSettingsPart(p state.Part) ([]access.QuotaSetting, []byte, error) {
	return page[access.QuotaSetting](q.in, bQuotas, nil, p, false, nil)
}

// PutQuotaSetting sets a quota.
func (q quotaWriter) PutQuotaSetting(s access.QuotaSetting) error {
	return put(q.w, bQuotas, key(s.Per, s.Of, s.Quota), s)
}

// DeleteQuotaSetting forgets what was set, if anything was.
func (q quotaWriter) DeleteQuotaSetting(per, of, quota string) error {
	return q.w.remove(bQuotas, key(per, of, quota))
}
