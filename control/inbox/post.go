package inbox

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/notices"
	"github.com/agora-host/agora/state"
)

// mail has a notice sent to its person: by the mail that waits for them, or else by a new one.
func (s *Service) mail(n state.Notes, v notices.Notice) error {
	if !s.sendsMail() {
		return nil
	}
	if name, err := access.CanonicalName(v.Person); err != nil || name != v.Person {
		return nil // a name from before names were addresses
	}
	chosen, err := n.NoticeSettings(v.Person)
	if err != nil || chosen.Mail == notices.Off {
		return err
	}
	to := notices.Place{Channel: notices.Mail, To: v.Person}
	waiting, err := n.Deliveries(to)
	if err != nil {
		return err
	}
	for _, d := range waiting {
		if d.Gathers() {
			d.Notices = append(d.Notices, v.ID)
			return n.PutDelivery(d)
		}
	}
	if len(waiting) >= mostMails {
		return nil // the inbox has it; the mails that wait lead there
	}
	now := s.desk.Now().UTC()
	return n.PutDelivery(notices.Delivery{
		Place: to, ID: v.ID, Notices: []string{v.ID}, Created: now, Due: chosen.Due(now, s.o.Gather), Message: messageID(v),
	})
}

// mostMails is how many mails to one person there are at a time, with those that were given up.
const mostMails = 50

// messageID names a mail. One event may make mails to several people.
func messageID(v notices.Notice) string {
	sum := sha256.Sum256([]byte(v.Person))
	return v.ID + "." + hex.EncodeToString(sum[:6])
}

// post has an event sent to the webhooks that take its kind. full are the lanes where too much waits.
func (s *Service) post(n state.Notes, e abi.Event) (begun bool, full []string, err error) {
	now := s.desk.Now().UTC()
	for _, hook := range s.o.Hooks {
		if !slices.Contains(hook.Kinds(), e.Kind) {
			continue
		}
		to := notices.Place{Channel: notices.Webhook, To: hook.Name()}
		waiting, err := n.Count(state.CountWaiting, to.Lane())
		if err != nil {
			return false, nil, err
		}
		if waiting.N >= notices.MaxWaiting {
			full = append(full, to.Lane())
			continue
		}
		if err := n.PutDelivery(notices.Delivery{Place: to, ID: notices.IDOf(e), Event: &e, Created: now, Due: now}); err != nil {
			return false, nil, err
		}
		begun = true
	}
	return begun, full, nil
}
