package store

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// Tenant is a tenant as it is kept. It has no room for marks, as with Pulsar.
type Tenant struct {
	Spec spec.Tenant `json:"spec"`
}

// Namespace is a namespace as it is kept.
type Namespace struct {
	Spec  spec.Namespace `json:"spec"`
	Marks engine.Marks   `json:"marks"`
}

// Component is a function, source or sink as it is kept. Generation counts the
// changes that its instances must take up.
type Component struct {
	Kind       spec.Kind      `json:"kind"`
	Spec       spec.Component `json:"spec"`
	State      spec.State     `json:"state"` // what is wanted of the instances; "": nobody said, so they run
	Marks      engine.Marks   `json:"marks"`
	Generation int64          `json:"generation"`
	Digest     string         `json:"digest,omitempty"` // of the code it runs, however that was named
	File       string         `json:"file,omitempty"`   // name of the code's file
	Epoch      int64          `json:"epoch,omitempty"`  // how often its subscriptions were moved
	Partitions []Partitions   `json:"partitions,omitempty"`
}

// Partitions is how many partitions a stream had when it was last prepared.
type Partitions struct {
	wire.Stream
	Count int `json:"count"`
}

// PartitionsOf keeps what was found, in a fixed order.
func PartitionsOf(found map[wire.Stream]int) []Partitions {
	all := make([]Partitions, 0, len(found))
	for stream, n := range found {
		all = append(all, Partitions{Stream: stream, Count: n})
	}
	slices.SortFunc(all, func(x, y Partitions) int {
		return cmp.Or(cmp.Compare(x.Broker, y.Broker), cmp.Compare(x.Topic, y.Topic))
	})
	return all
}

// Package is the description of uploaded code; Digest names its content.
type Package struct {
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	FileName    string            `json:"file_name,omitempty"`
	Description string            `json:"description,omitempty"`
	Contact     string            `json:"contact,omitempty"`
	Properties  map[string]string `json:"properties,omitempty"`
	CreatedMs   int64             `json:"created_ms"`
	ModifiedMs  int64             `json:"modified_ms"`
}

// Table is one kind of record, by key.
type Table[T any] struct {
	store  *Store
	bucket string
}

// Get reads one record; ok is false when there is none.
func (t Table[T]) Get(key string) (record T, ok bool, err error) {
	err = t.store.db.View(func(tx *bolt.Tx) error {
		text := tx.Bucket([]byte(t.bucket)).Get([]byte(key))
		if text == nil {
			return nil
		}
		ok = true
		record, err = decode[T](text)
		return err
	})
	if err != nil {
		return record, false, t.store.failed(fmt.Errorf("%s %s: %w", t.bucket, key, err))
	}
	return record, ok, nil
}

// Put writes one record and returns once it is on disk.
func (t Table[T]) Put(key string, record T) error {
	text, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("%s %s: %w", t.bucket, key, err)
	}
	return t.store.failed(t.store.db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(t.bucket)).Put([]byte(key), text)
	}))
}

// Delete removes one record; an absent one is no error.
func (t Table[T]) Delete(key string) error {
	return t.store.failed(t.store.db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(t.bucket)).Delete([]byte(key))
	}))
}

// All reads the records whose key begins with prefix, in the order of their keys.
func (t Table[T]) All(prefix string) (records []T, err error) {
	err = t.Each(prefix, func(_ string, record T) error {
		records = append(records, record)
		return nil
	})
	return records, err
}

// Each is All with the keys.
func (t Table[T]) Each(prefix string, visit func(key string, record T) error) error {
	return t.store.failed(t.store.db.View(func(tx *bolt.Tx) error {
		c := tx.Bucket([]byte(t.bucket)).Cursor()
		for k, text := c.Seek([]byte(prefix)); k != nil && bytes.HasPrefix(k, []byte(prefix)); k, text = c.Next() {
			record, err := decode[T](text)
			if err != nil {
				return fmt.Errorf("%s %s: %w", t.bucket, k, err)
			}
			if err := visit(string(k), record); err != nil {
				return err
			}
		}
		return nil
	}))
}

func decode[T any](text []byte) (record T, err error) {
	if err = json.Unmarshal(text, &record); err != nil {
		return record, err
	}
	// The kind is no setting, so a spec's JSON leaves it out.
	if c, ok := any(&record).(*Component); ok {
		c.Spec.Kind = c.Kind
	}
	return record, nil
}

// Key joins the parts of a record's key; none of them may hold a slash.
func Key(parts ...string) string { return strings.Join(parts, "/") }
