//go:build unix

package pulsartest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Sign makes a token of a role for a server that was started with --secure. It has
// expired when valid is negative.
func (s *Standalone) Sign(t testing.TB, role string, valid time.Duration) string {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(s.Dir, "secrets", "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	token := encode([]byte(`{"alg":"HS256"}`)) + "." + encode(fmt.Appendf(nil, `{"sub":%q,"exp":%d}`, role, time.Now().Add(valid).Unix()))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(token))
	return token + "." + encode(mac.Sum(nil))
}

// Trust makes the test's own connections take certificates of one more authority.
func (s *Standalone) Trust(t testing.TB, a *Authority) {
	t.Helper()
	var all []byte
	for _, file := range []string{s.CAFile, a.File} {
		pem, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pem...)
	}
	Replace(t, s.CAFile, all)
	s.http = secured(t, s.CAFile)
}

// Grant lets a role do what actions say, produce or consume, in the namespace.
func (n *Namespace) Grant(t testing.TB, role string, actions ...string) {
	t.Helper()
	n.must(t, request{method: http.MethodPost, path: "/admin/v2/namespaces/" + n.Name + "/permissions/" + role, in: actions})
}
