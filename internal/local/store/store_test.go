package store_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/store"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func TestStoreSurvivesReopening(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(dir)
	must(t, err)
	want := store.Component{
		Kind: spec.KindSink, State: spec.StateStopped, Marks: engine.Marks{Owner: "o", Mesh: "m"}, Generation: 3,
		Spec: spec.Component{Kind: spec.KindSink, Tenant: "public", Namespace: "default", Name: "s", Builtin: "file"},
	}
	must(t, s.Components.Put("sink/public/default/s", want))
	must(t, s.PutSecret("a", "b", spec.NewSecret("value")))
	must(t, s.PutBroker(store.Broker{Port: 1, User: "u", Password: "p"}))
	id := s.ID()
	must(t, s.Close())

	s = open(t, dir)
	got, ok, err := s.Components.Get("sink/public/default/s")
	if diff := cmp.Diff(want, got); diff != "" || !ok || err != nil {
		t.Errorf("%v %v %s", ok, err, diff)
	}
	if v, ok, err := s.Secret("a", "b"); v.Reveal() != "value" || !ok || err != nil {
		t.Errorf("secret: %v, %v", ok, err)
	}
	if b, ok, err := s.Broker(); b.Port != 1 || !ok || err != nil {
		t.Errorf("broker: %+v, %v, %v", b, ok, err)
	}
	if s.ID() != id || id == "" {
		t.Errorf("id %q, want %q", s.ID(), id)
	}
	for _, name := range []string{store.FileName, store.BackupName} {
		info, err := os.Stat(filepath.Join(dir, name))
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", name, info.Mode().Perm())
		}
	}
}

// layout1 writes a store as the first layout had it.
func layout1(t *testing.T, dir string) {
	t.Helper()
	db, err := bolt.Open(filepath.Join(dir, store.FileName), 0o600, nil)
	must(t, err)
	put := func(tx *bolt.Tx, bucket, key string, value any) error {
		b, err := tx.CreateBucketIfNotExists([]byte(bucket))
		if err != nil {
			return err
		}
		text, ok := value.(string)
		if !ok {
			j, err := json.Marshal(value)
			if err != nil {
				return err
			}
			text = string(j)
		}
		return b.Put([]byte(key), []byte(text))
	}
	must(t, db.Update(func(tx *bolt.Tx) error {
		c := map[string]any{
			"kind": "function", "owner": "cli",
			"spec": spec.Component{Tenant: "acme", Namespace: "shop", Name: "f", State: spec.StateStopped, Inputs: map[string]spec.Input{"in": {}}},
		}
		for _, err := range []error{
			put(tx, "meta", "schema", "1"), put(tx, "meta", "id", "the-id"),
			put(tx, "components", "function/acme/shop/f", c),
			put(tx, "secrets", "shop", map[string]string{"api-key": "value", "other": "more"}),
		} {
			if err != nil {
				return err
			}
		}
		return nil
	}))
	must(t, db.Close())
}

func TestMigrationFromLayout1(t *testing.T) {
	dir := t.TempDir()
	layout1(t, dir)
	s := open(t, dir)
	if s.ID() != "the-id" {
		t.Errorf("id %q changed", s.ID())
	}
	got, _, err := s.Components.Get("function/acme/shop/f")
	must(t, err)
	want := store.Component{
		Kind: spec.KindFunction, State: spec.StateStopped, Marks: engine.Marks{Owner: "cli"}, Generation: 1,
		Spec: spec.Component{Kind: spec.KindFunction, Tenant: "acme", Namespace: "shop", Name: "f", Inputs: map[string]spec.Input{"in": {}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	names, err := s.Secrets()
	if diff := cmp.Diff(map[string][]string{"shop": {"api-key", "other"}}, names); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	for _, key := range []string{"acme/shop", "public/default"} {
		if _, ok, err := s.Namespaces.Get(key); !ok || err != nil {
			t.Errorf("namespace %s: %v, %v", key, ok, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "store.schema1.db")); err != nil {
		t.Errorf("copy before the migration: %v", err)
	}
}

func TestStoresThatAreRefused(t *testing.T) {
	cases := map[string]struct {
		make func(t *testing.T, dir string)
		says string
	}{
		"Newer": {says: "layout 9", make: func(t *testing.T, dir string) {
			t.Helper()
			layout1(t, dir)
			db, err := bolt.Open(filepath.Join(dir, store.FileName), 0o600, nil)
			must(t, err)
			must(t, db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte("9")) }))
			must(t, db.Close())
		}},
		"Garbage": {says: "damaged", make: func(t *testing.T, dir string) {
			t.Helper()
			must(t, os.WriteFile(filepath.Join(dir, store.FileName), []byte(strings.Repeat("x", 100_000)), 0o600))
		}},
		"Empty": {says: "damaged", make: func(t *testing.T, dir string) {
			t.Helper()
			must(t, os.WriteFile(filepath.Join(dir, store.FileName), nil, 0o600))
		}},
		"Truncated": {says: "damaged", make: func(t *testing.T, dir string) {
			t.Helper()
			s, err := store.Open(dir)
			must(t, err)
			must(t, s.Close())
			must(t, os.Truncate(filepath.Join(dir, store.FileName), 9000))
		}},
		"Overwritten": {says: "damaged", make: func(t *testing.T, dir string) {
			t.Helper()
			s, err := store.Open(dir)
			must(t, err)
			must(t, s.Close())
			f, err := os.OpenFile(filepath.Join(dir, store.FileName), os.O_WRONLY, 0)
			must(t, err)
			_, err = f.WriteAt([]byte(strings.Repeat("\xff", 20_000)), 2*int64(os.Getpagesize()))
			must(t, err)
			must(t, f.Close())
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			tc.make(t, dir)
			_, err := store.Open(dir)
			if !engine.Is(err, engine.Invalid) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v: want invalid and a word of %q", err, tc.says)
			}
		})
	}
}

func TestSecretNames(t *testing.T) {
	s := open(t, t.TempDir())
	for _, bad := range []string{"", "a/b", "..", "a b", "-x"} {
		if err := s.PutSecret(bad, "key", spec.NewSecret("v")); !engine.Is(err, engine.Invalid) {
			t.Errorf("secret %q: %v, want invalid", bad, err)
		}
		if err := s.PutSecret("name", bad, spec.NewSecret("v")); !engine.Is(err, engine.Invalid) {
			t.Errorf("key %q: %v, want invalid", bad, err)
		}
	}
	must(t, s.PutSecret("a", "one", spec.NewSecret("v")))
	must(t, s.PutSecret("a", "two", spec.NewSecret("v")))
	must(t, s.PutSecret("ab", "one", spec.NewSecret("v")))
	must(t, s.DeleteSecret("a", "two"))
	must(t, s.DeleteSecret("a", "two"))
	must(t, s.DeleteSecret("a", ""))
	names, err := s.Secrets()
	if diff := cmp.Diff(map[string][]string{"ab": {"one"}}, names); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}
