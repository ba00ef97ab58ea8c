package persons

import (
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
)

// quotaReader reads the quotas that operators set, by names.
type quotaReader struct {
	below state.Reader
	in    *reader
}

// quotaWriter sets quotas of people who are given by names.
type quotaWriter struct {
	in *reader
	tx state.Tx
}

func (q quotaReader) QuotaSetting(per, of, quota string) (access.QuotaSetting, error) {
	s := access.QuotaSetting{Per: per, Of: of}
	if err := each(InQuotaSetting(&s), q.in.id); err != nil {
		return s, err
	}
	s, err := q.below.QuotaSetting(per, s.Of, quota)
	return one(q.in, s, err, InQuotaSetting)
}

func (q quotaReader) QuotaSettingsPart(p state.Part) ([]access.QuotaSetting, []byte, error) {
	all, next, err := q.below.QuotaSettingsPart(p)
	return part(q.in, all, next, err, InQuotaSetting)
}

func (q quotaWriter) PutQuotaSetting(s access.QuotaSetting) error {
	if err := each(InQuotaSetting(&s), q.in.id); err != nil {
		return err
	}
	return q.tx.PutQuotaSetting(s)
}

func (q quotaWriter) DeleteQuotaSetting(per, of, quota string) error {
	s := access.QuotaSetting{Per: per, Of: of}
	if err := each(InQuotaSetting(&s), q.in.id); err != nil {
		return err
	}
	return q.tx.DeleteQuotaSetting(per, s.Of, quota)
}
