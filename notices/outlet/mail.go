package outlet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/agora-host/agora/notices"
)

// Mailer hands letters to a mail server.
type Mailer struct{ c MailConfig }

// NewMailer makes a Mailer of what Load returned. It asks the server for nothing.
func NewMailer(c MailConfig) *Mailer { return &Mailer{c} }

// mailWithin bounds each step of a conversation with the server.
const mailWithin = 30 * time.Second

// Send hands a letter to the server. Once the server has taken it, it is sent, whatever becomes of the
// connection after that.
func (m *Mailer) Send(ctx context.Context, l notices.Letter) error {
	msg, err := m.message(l)
	if err != nil {
		return &notices.RefusedError{Err: err}
	}
	client, err := m.client()
	if err != nil {
		return err
	}
	err = client.DialAndSendWithContext(ctx, msg)
	if err == nil || msg.IsDelivered() {
		return nil
	}
	if bad, ok := errors.AsType[*mail.SendError](err); ok && aboutOne(bad.Reason) {
		return &notices.RefusedError{Err: err}
	}
	return fmt.Errorf("mail server %s: %w", m.c.host, err)
}

// aboutOne reports whether the server refused one letter and no sender.
func aboutOne(reason mail.SendErrReason) bool {
	return reason == mail.ErrSMTPRcptTo || reason == mail.ErrSMTPData || reason == mail.ErrSMTPDataClose
}

// Check talks to the server as far as signing in.
func (m *Mailer) Check(ctx context.Context) error {
	client, err := m.client()
	if err != nil {
		return err
	}
	if err := client.DialWithContext(ctx); err != nil {
		return fmt.Errorf("mail server %s: %w", m.c.host, err)
	}
	return client.Close()
}

// message writes a letter as a message. What people wrote is encoded where it stands in a header.
func (m *Mailer) message(l notices.Letter) (*mail.Msg, error) {
	for _, line := range []string{l.ID, l.To, l.Subject, l.URL} {
		if strings.ContainsAny(line, "\r\n\x00") {
			return nil, fmt.Errorf("BUG: %q would be more than one line of a header", line)
		}
	}
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	msg.FromMailAddress(m.c.from)
	if err := msg.To(l.To); err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(m.c.from.Address, "@")
	msg.SetMessageIDWithValue(l.ID + "@" + domain)
	msg.SetDate()
	msg.Subject(l.Subject)
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")
	msg.SetGenHeader("List-Unsubscribe", "<"+l.URL+">")
	msg.SetBodyString(mail.TypeTextPlain, l.Text)
	return msg, nil
}

func (m *Mailer) client() (*mail.Client, error) {
	options := []mail.Option{mail.WithPort(m.c.port), mail.WithTimeout(mailWithin), mail.WithoutNoop()}
	conf := &tls.Config{ServerName: m.c.host, MinVersion: tls.VersionTLS12, RootCAs: m.c.roots}
	switch m.c.TLS {
	case "tls":
		options = append(options, mail.WithSSL(), mail.WithTLSConfig(conf))
	case "none":
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory), mail.WithTLSConfig(conf))
	}
	if m.c.User != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(m.c.User), mail.WithPassword(m.c.password))
	}
	return mail.NewClient(m.c.host, options...)
}
