package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Broker is how the embedded broker listens: kept, so that address and credentials
// stay the same from one daemon to the next.
type Broker struct {
	Port     int    `json:"port"`
	User     string `json:"user"`
	Password string `json:"password"`
}

const metaBroker = "broker"

// Broker reads the broker's address; ok is false before the first start.
func (s *Store) Broker() (b Broker, ok bool, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		text := tx.Bucket([]byte(bucketMeta)).Get([]byte(metaBroker))
		if ok = text != nil; !ok {
			return nil
		}
		return json.Unmarshal(text, &b)
	})
	return b, ok, s.failed(err)
}

// PutBroker keeps the broker's address.
func (s *Store) PutBroker(b Broker) error {
	text, err := json.Marshal(b) //nolint:gosec // the store holds the password on purpose, with mode 0600
	if err != nil {
		return err
	}
	return s.failed(s.db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(bucketMeta)).Put([]byte(metaBroker), text)
	}))
}

var secretWord = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$`)

// checkSecret keeps names usable as parts of a key, a path and a Kubernetes object.
func checkSecret(words ...string) error {
	for _, w := range words {
		if !secretWord.MatchString(w) {
			return &engine.Error{
				Class: engine.Invalid, Hint: "Use letters, digits, '.', '_' and '-'",
				Err: fmt.Errorf("%q cannot name a secret or its key", w),
			}
		}
	}
	return nil
}

// PutSecret keeps one value.
func (s *Store) PutSecret(name, key string, value spec.Secret) error {
	if err := checkSecret(name, key); err != nil {
		return err
	}
	if value.IsZero() {
		return engine.New(engine.Invalid, errors.New("the secret's value is empty"))
	}
	return s.failed(s.db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(bucketSecrets)).Put([]byte(Key(name, key)), []byte(value.Reveal()))
	}))
}

// Secret reads one value; ok is false when there is none.
func (s *Store) Secret(name, key string) (value spec.Secret, ok bool, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		text := tx.Bucket([]byte(bucketSecrets)).Get([]byte(Key(name, key)))
		ok, value = text != nil, spec.NewSecret(string(text))
		return nil
	})
	return value, ok, s.failed(err)
}

// DeleteSecret removes one value, or with an empty key the whole secret; an absent
// one is no error.
func (s *Store) DeleteSecret(name, key string) error {
	return s.failed(s.db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bucketSecrets))
		if key != "" {
			return b.Delete([]byte(Key(name, key)))
		}
		var gone [][]byte
		if err := b.ForEach(func(k, _ []byte) error {
			if n, _, _ := strings.Cut(string(k), "/"); n == name {
				gone = append(gone, append([]byte(nil), k...))
			}
			return nil
		}); err != nil {
			return err
		}
		for _, k := range gone {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
		return nil
	}))
}

// Secrets lists the keys of each secret, never a value.
func (s *Store) Secrets() (names map[string][]string, err error) {
	names = map[string][]string{}
	err = s.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(bucketSecrets)).ForEach(func(k, _ []byte) error {
			name, key, _ := strings.Cut(string(k), "/")
			names[name] = append(names[name], key)
			return nil
		})
	})
	return names, s.failed(err)
}
