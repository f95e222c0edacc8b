package pulsartest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
)

// Keys makes a pair that encrypts and decrypts messages, and returns its PEM files.
func Keys(t testing.TB) (public, private string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	public, private = filepath.Join(dir, "public.pem"), filepath.Join(dir, "private.pem")
	for file, block := range map[string]*pem.Block{
		public:  {Type: "PUBLIC KEY", Bytes: encoded},
		private: {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return public, private
}
