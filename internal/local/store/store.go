package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/google/uuid"
	bolt "go.etcd.io/bbolt"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/process"
)

// Schema is the layout that this build writes. It reads Schema and Schema-1.
const Schema = 2

const (
	bucketMeta       = "meta"
	bucketTenants    = "tenants"
	bucketNamespaces = "namespaces"
	bucketComponents = "components"
	bucketSecrets    = "secrets"
	bucketPackages   = "packages"

	metaSchema = "schema"
	metaID     = "id"
)

// FileName is the store's file in its directory; BackupName is the copy taken at the
// last good start.
const (
	FileName   = "store.db"
	BackupName = "store.backup.db"
)

// Store is the open file. It is safe for concurrent use.
type Store struct {
	Tenants    Table[Tenant]
	Namespaces Table[Namespace]
	Components Table[Component]
	Packages   Table[Package]

	db   *bolt.DB
	path string
	id   string
}

// Open opens the store in dir, making it on first use and migrating an older layout
// after a copy of it was put aside.
func Open(dir string) (*Store, error) {
	path := filepath.Join(dir, FileName)
	db, err := open(path)
	if err != nil {
		return nil, damaged(path, err)
	}
	s := &Store{db: db, path: path}
	s.Tenants = Table[Tenant]{store: s, bucket: bucketTenants}
	s.Namespaces = Table[Namespace]{store: s, bucket: bucketNamespaces}
	s.Components = Table[Component]{store: s, bucket: bucketComponents}
	s.Packages = Table[Package]{store: s, bucket: bucketPackages}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func (s *Store) prepare() error {
	if err := check(s.db); err != nil {
		return damaged(s.path, err)
	}
	if err := s.upgrade(); err != nil {
		return s.failed(err)
	}
	if err := s.db.View(func(tx *bolt.Tx) error {
		s.id = string(tx.Bucket([]byte(bucketMeta)).Get([]byte(metaID)))
		return nil
	}); err != nil {
		return s.failed(err)
	}
	return s.failed(s.backup(filepath.Join(filepath.Dir(s.path), BackupName)))
}

// guard turns into an error what the library does over a damaged file: it panics, or
// touches memory that is not mapped.
func guard(err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		if r := recover(); r != nil {
			*err = fmt.Errorf("%v", r)
		}
		debug.SetPanicOnFault(before)
	}
}

func open(path string) (db *bolt.DB, err error) {
	defer guard(&err)()
	if info, statErr := os.Stat(path); statErr == nil && info.Size() == 0 {
		return nil, errors.New("the file is empty")
	}
	return bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second, PreLoadFreelist: true})
}

// check looks at everything once. The walk comes first because a guard holds for this
// goroutine only, and the library checks in one of its own.
func check(db *bolt.DB) error {
	if err := walk(db); err != nil {
		return err
	}
	return db.View(func(tx *bolt.Tx) error {
		var first error
		for err := range tx.Check() {
			if first == nil {
				first = err
			}
		}
		return first
	})
}

func walk(db *bolt.DB) (err error) {
	info, err := os.Stat(db.Path())
	if err != nil {
		return err
	}
	defer guard(&err)()
	tx, err := db.Begin(false)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // also after a panic: closing waits for it
	if tx.Size() > info.Size() {
		return errors.New("the file is cut short")
	}
	var sum int // so that every byte is read
	return tx.ForEach(func(_ []byte, b *bolt.Bucket) error {
		return b.ForEach(func(k, v []byte) error {
			sum += bytes.Count(k, []byte{0}) + bytes.Count(v, []byte{0})
			return nil
		})
	})
}

func damaged(path string, err error) error {
	if errors.Is(err, fs.ErrPermission) || process.NoSpace(err) {
		return refused(path, err)
	}
	hint := "Remove everything with `functionmesh local reset`"
	backup := filepath.Join(filepath.Dir(path), BackupName)
	if _, statErr := os.Stat(backup); statErr == nil {
		hint = "Put the copy of the last good start back with `cp " + backup + " " + path + "`, or remove everything with `functionmesh local reset`"
	}
	return &engine.Error{Class: engine.Invalid, Hint: hint, Err: fmt.Errorf("the local platform's store %s is damaged: %w", path, err)}
}

func refused(path string, err error) error {
	e := &engine.Error{Class: engine.Unavailable, Err: fmt.Errorf("the local platform's store %s: %w", path, err)}
	if process.NoSpace(err) {
		e.Hint = "The disk is full: free space and repeat"
	}
	return e
}

// failed wraps a failure of the file itself; what is classified already passes.
func (s *Store) failed(err error) error {
	if err == nil || engine.ClassOf(err) != "" {
		return err
	}
	return refused(s.path, err)
}

// ID is the platform's identity, made with the store.
func (s *Store) ID() string { return s.id }

// Close releases the file. It waits for transactions under way.
func (s *Store) Close() error { return s.failed(s.db.Close()) }

func (s *Store) upgrade() error {
	version, err := s.schema()
	switch {
	case err != nil:
		return err
	case version == Schema:
		return nil
	case version == 0:
		return s.db.Update(create)
	case version == Schema-1:
		aside := filepath.Join(filepath.Dir(s.path), fmt.Sprintf("store.schema%d.db", version))
		if err := s.backup(aside); err != nil {
			return fmt.Errorf("copy before migration: %w", err)
		}
		return s.db.Update(migrate1)
	}
	return &engine.Error{
		Class: engine.Invalid, Hint: "Use the newer functionmesh that wrote it, or another data directory",
		Err: fmt.Errorf("the local platform's store %s has layout %d, this build knows %d and %d", s.path, version, Schema-1, Schema),
	}
}

func (s *Store) schema() (version int, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		meta := tx.Bucket([]byte(bucketMeta))
		if meta == nil {
			return nil
		}
		version, err = strconv.Atoi(string(meta.Get([]byte(metaSchema))))
		return err
	})
	return version, err
}

func create(tx *bolt.Tx) error {
	if err := buckets(tx); err != nil {
		return err
	}
	if err := defaults(tx); err != nil {
		return err
	}
	return describe(tx, uuid.NewString())
}

func buckets(tx *bolt.Tx) error {
	for _, name := range []string{bucketMeta, bucketTenants, bucketNamespaces, bucketComponents, bucketSecrets, bucketPackages} {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	return nil
}

func describe(tx *bolt.Tx, id string) error {
	meta := tx.Bucket([]byte(bucketMeta))
	if err := meta.Put([]byte(metaID), []byte(id)); err != nil {
		return err
	}
	return meta.Put([]byte(metaSchema), []byte(strconv.Itoa(Schema)))
}

// backup writes a consistent copy and puts it in place in one step.
func (s *Store) backup(path string) error {
	fresh := path + ".new"
	err := s.db.View(func(tx *bolt.Tx) error { return tx.CopyFile(fresh, 0o600) })
	if err == nil {
		err = os.Rename(fresh, path)
	}
	return err
}
