package store

import (
	"encoding/json"
	"fmt"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Layout 1 had the buckets meta (schema, id), components and secrets. A component's
// record was its spec, with the wanted state inside, beside the owner alone; a secret
// was one record with all its keys; tenants and namespaces were implied by what lay
// in them.
type component1 struct {
	Kind  spec.Kind      `json:"kind"`
	Owner string         `json:"owner"`
	Spec  spec.Component `json:"spec"`
}

func migrate1(tx *bolt.Tx) error {
	id := string(tx.Bucket([]byte(bucketMeta)).Get([]byte(metaID)))
	if err := buckets(tx); err != nil {
		return err
	}
	if err := defaults(tx); err != nil {
		return err
	}
	if err := migrateComponents1(tx); err != nil {
		return fmt.Errorf("migrate components: %w", err)
	}
	if err := migrateSecrets1(tx); err != nil {
		return fmt.Errorf("migrate secrets: %w", err)
	}
	return describe(tx, id)
}

func migrateComponents1(tx *bolt.Tx) error {
	b := tx.Bucket([]byte(bucketComponents))
	fresh := map[string]Component{}
	err := b.ForEach(func(k, text []byte) error {
		var old component1
		if err := json.Unmarshal(text, &old); err != nil {
			return fmt.Errorf("%s: %w", k, err)
		}
		state := old.Spec.State
		old.Spec.State = ""
		fresh[string(k)] = Component{Kind: old.Kind, Spec: old.Spec, State: state, Marks: engine.Marks{Owner: old.Owner}, Generation: 1}
		return nil
	})
	if err != nil {
		return err
	}
	for k, c := range fresh {
		if err := putJSON(b, k, c); err != nil {
			return err
		}
		if err := parents(tx, c.Spec.Tenant, c.Spec.Namespace); err != nil {
			return err
		}
	}
	return nil
}

func migrateSecrets1(tx *bolt.Tx) error {
	b := tx.Bucket([]byte(bucketSecrets))
	old := map[string]map[string]string{}
	err := b.ForEach(func(k, text []byte) error {
		if strings.Contains(string(k), "/") {
			return nil
		}
		values := map[string]string{}
		old[string(k)] = values
		return json.Unmarshal(text, &values)
	})
	if err != nil {
		return err
	}
	for name, values := range old {
		if err := b.Delete([]byte(name)); err != nil {
			return err
		}
		for key, value := range values {
			if err := b.Put([]byte(Key(name, key)), []byte(value)); err != nil {
				return err
			}
		}
	}
	return nil
}

// defaults makes public/default, which exist from the start.
func defaults(tx *bolt.Tx) error {
	return parents(tx, spec.DefaultTenant, spec.DefaultNamespace)
}

func parents(tx *bolt.Tx, tenant, namespace string) error {
	tenants, namespaces := tx.Bucket([]byte(bucketTenants)), tx.Bucket([]byte(bucketNamespaces))
	if tenants.Get([]byte(tenant)) == nil {
		if err := putJSON(tenants, tenant, Tenant{Spec: spec.Tenant{Name: tenant}}); err != nil {
			return err
		}
	}
	key := Key(tenant, namespace)
	if namespaces.Get([]byte(key)) != nil {
		return nil
	}
	return putJSON(namespaces, key, Namespace{Spec: spec.Namespace{Tenant: tenant, Name: namespace}})
}

func putJSON(b *bolt.Bucket, key string, record any) error {
	text, err := json.Marshal(record)
	if err != nil {
		return err
	}
	return b.Put([]byte(key), text)
}
