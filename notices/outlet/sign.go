package outlet

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

// keyOf reads the key of a signature, as Standard Webhooks writes one.
func keyOf(text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "whsec_"))
	if err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("it is whsec_ and 24 to 64 bytes in base64")
	}
	return key, nil
}

// sign returns the signature of a message, by Standard Webhooks: HMAC-SHA256 over its id, its time in
// seconds and its body, with dots between them.
func sign(key []byte, id, at string, body []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(id + "." + at + "."))
	h.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
}
