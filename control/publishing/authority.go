package publishing

import (
	"context"

	"github.com/agora-host/agora/access"
)

// Certify gives who acts a certificate for their own identity. What identity
// the request names plays no part.
func (s *Service) Certify(ctx context.Context, csr []byte) ([]byte, error) {
	actor, err := s.desk.Door(ctx, access.Sign)
	if err != nil {
		return nil, err
	}
	return s.authority.Certify(csr, actor.User)
}

// Timestamp proves that something existed now.
func (s *Service) Timestamp(_ context.Context, request []byte) ([]byte, error) {
	return s.authority.Timestamp(request)
}

// TrustRoot is public: everybody may verify.
func (s *Service) TrustRoot(context.Context) ([]byte, error) { return s.authority.TrustedRootJSON() }
