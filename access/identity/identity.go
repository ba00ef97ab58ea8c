package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/internal/durable"
)

// week is how long one key signs.
const week = 7 * 24 * time.Hour

// Keys make pseudonyms and tokens.
type Keys struct {
	file secrets

	mu   sync.Mutex
	made map[int64]*key // by the number of their weeks
}

// secrets are what is in the file. Without the second, which an operator may take out, the file is given
// another one: tokens of before are worth nothing from then on, and people keep their pseudonyms.
type secrets struct {
	Pseudonyms []byte `json:"pseudonyms"`
	Tokens     []byte `json:"tokens"`
}

const (
	secretSize = 32
	sumSize    = 4 // of what follows a secret, so that a damaged one is noticed
)

// Open reads the secrets of a file, or makes a file with new ones. It refuses a file that others on this
// machine can read.
func Open(path string) (*Keys, error) {
	k := &Keys{made: map[int64]*key{}}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		k.file.Pseudonyms = newSecret()
	case err != nil:
		return nil, err
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s can be read by others (mode %04o): run chmod 600 on it, and take \"tokens\" out of it, so that what is signed from now on is the node's word alone", path, info.Mode().Perm())
	default:
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if json.Unmarshal(raw, &k.file) != nil || !whole(k.file.Pseudonyms) || len(k.file.Tokens) > 0 && !whole(k.file.Tokens) {
			return nil, fmt.Errorf("%s is damaged: restore it from a backup; without it, apps know no person again", path)
		}
	}
	if len(k.file.Tokens) > 0 {
		return k, nil
	}
	k.file.Tokens = newSecret()
	raw, err := json.Marshal(k.file)
	if err != nil {
		return nil, err
	}
	return k, durable.Replace(filepath.Dir(path), path, raw)
}

func newSecret() []byte {
	b := make([]byte, secretSize)
	rand.Read(b)
	sum := sha256.Sum256(b)
	return append(b, sum[:sumSize]...)
}

// whole reports whether a secret of the file is as it was made.
func whole(b []byte) bool {
	if len(b) != secretSize+sumSize {
		return false
	}
	sum := sha256.Sum256(b[:secretSize])
	return bytes.Equal(sum[:sumSize], b[secretSize:])
}

// Pseudonym returns the id of a person at an app.
func (k *Keys) Pseudonym(app, person string) string {
	sum := hmac.New(sha256.New, k.file.Pseudonyms)
	for _, part := range []string{app, person} {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return "p_" + strings.ToLower(base32.StdEncoding.EncodeToString(sum.Sum(nil))[:26])
}

// token is what a token says.
type token struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	Subject  string `json:"sub"`
	Issued   int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	Name     string `json:"name,omitempty"`
	Via      string `json:"via"`
}

// Token signs what the app at an origin is told of a caller, for whoever trusts the issuer.
func (k *Keys) Token(issuer, origin string, c access.Caller, now, expires time.Time) (string, error) {
	raw, err := json.Marshal(token{
		Issuer: issuer, Audience: origin, Subject: c.ID, Issued: now.Unix(), Expires: expires.Unix(), Name: c.Name, Via: c.Via,
	})
	if err != nil {
		return "", err
	}
	by, err := k.of(now, 0)
	if err != nil {
		return "", err
	}
	signed, err := by.signer.Sign(raw)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// Published returns the set of public keys (RFC 7517): those of the last week, of this one and of the
// next.
func (k *Keys) Published(now time.Time) ([]byte, error) {
	var set jose.JSONWebKeySet
	for _, shift := range []int64{0, 1, -1} {
		one, err := k.of(now, shift)
		if err != nil {
			return nil, err
		}
		set.Keys = append(set.Keys, one.public)
	}
	return json.Marshal(set)
}

// key signs the tokens of one week.
type key struct {
	signer jose.Signer
	public jose.JSONWebKey
}

// of returns the key of the week that is some weeks after a time.
func (k *Keys) of(now time.Time, shift int64) (*key, error) {
	number := now.Unix()/int64(week/time.Second) + shift
	k.mu.Lock()
	defer k.mu.Unlock()
	if one := k.made[number]; one != nil {
		return one, nil
	}
	one, err := newKey(k.file.Tokens, number)
	if err != nil {
		return nil, err
	}
	if len(k.made) >= 8 {
		clear(k.made)
	}
	k.made[number] = one
	return one, nil
}

func newKey(secret []byte, number int64) (*key, error) {
	private, err := derive(secret, number)
	if err != nil {
		return nil, err
	}
	raw, err := private.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(raw)
	one := jose.JSONWebKey{Key: private, KeyID: base64.RawURLEncoding.EncodeToString(sum[:12]), Algorithm: string(jose.ES256), Use: "sig"}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: one}, new(jose.SignerOptions).WithType("JWT"))
	return &key{signer: signer, public: one.Public()}, err
}

// derive makes the private key of a week. Of 2^32 tries one yields no key.
func derive(secret []byte, number int64) (*ecdsa.PrivateKey, error) {
	for try := 0; ; try++ {
		raw, err := hkdf.Key(sha256.New, secret, nil, "agora identity "+strconv.FormatInt(number, 10)+" "+strconv.Itoa(try), 32)
		if err != nil {
			return nil, err
		}
		if private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw); err == nil {
			return private, nil
		} else if try == 100 {
			return nil, err
		}
	}
}
