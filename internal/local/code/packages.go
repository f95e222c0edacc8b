package code

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/gateway"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/store"
)

// Packages is the store seen as the gateway's package store.
type Packages struct{ store *Store }

// Packages returns the packages kept in s.
func (s *Store) Packages() *Packages { return &Packages{store: s} }

func packageKey(n gateway.PackageName) (string, error) {
	for _, part := range []string{n.Type, n.Tenant, n.Namespace, n.Name, n.Version} {
		if part == "" || strings.ContainsAny(part, "/@") {
			return "", engine.New(engine.Invalid, fmt.Errorf("%s is no package name: it reads type://tenant/namespace/name@version", n))
		}
	}
	return store.Key(n.Type, n.Tenant, n.Namespace, n.Name) + "@" + n.Version, nil
}

func packageName(key string) (gateway.PackageName, bool) {
	rest, version, ok := strings.Cut(key, "@")
	p := strings.Split(rest, "/")
	if !ok || len(p) != 4 {
		return gateway.PackageName{}, false
	}
	return gateway.PackageName{Type: p[0], Tenant: p[1], Namespace: p[2], Name: p[3], Version: version}, true
}

// Put stores a version: strict, Exists when it is there already. A nil r changes the
// metadata of an existing version only.
func (p *Packages) Put(ctx context.Context, name gateway.PackageName, meta gateway.PackageMetadata, r io.Reader) error {
	key, err := packageKey(name)
	if err != nil {
		return err
	}
	have, found, err := p.store.packages.Get(key)
	if err != nil {
		return err
	}
	now := time.Now().UnixMilli()
	if r == nil {
		if !found {
			return missing(name)
		}
	} else {
		if found {
			return engine.New(engine.Exists, fmt.Errorf("package %s exists", name))
		}
		counted := &counter{r: r}
		_, sum, err := p.store.Put(ctx, fileName(name, meta), counted)
		if err != nil {
			return err
		}
		have = store.Package{Digest: sum, Size: counted.n, FileName: fileName(name, meta), CreatedMs: now}
	}
	have.Description, have.Contact, have.Properties, have.ModifiedMs = meta.Description, meta.Contact, meta.Properties, now
	return p.store.packages.Put(key, have)
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

func fileName(name gateway.PackageName, meta gateway.PackageMetadata) string {
	if meta.FileName != "" {
		return meta.FileName
	}
	return name.Name
}

func missing(name gateway.PackageName) error {
	return engine.New(engine.NotFound, fmt.Errorf("package %s does not exist", name))
}

// Open reads a version's content and metadata; NotFound when there is none.
func (p *Packages) Open(ctx context.Context, name gateway.PackageName) (io.ReadCloser, gateway.PackageMetadata, error) {
	r, err := p.read(name)
	if err != nil {
		return nil, gateway.PackageMetadata{}, err
	}
	meta := gateway.PackageMetadata{
		Description: r.Description, Contact: r.Contact, FileName: r.FileName,
		CreateTime: r.CreatedMs, ModificationTime: r.ModifiedMs, Properties: r.Properties,
	}
	content, err := p.store.Open(ctx, r.Digest)
	return content, meta, err
}

func (p *Packages) read(name gateway.PackageName) (store.Package, error) {
	key, err := packageKey(name)
	if err != nil {
		return store.Package{}, err
	}
	r, found, err := p.store.packages.Get(key)
	if err == nil && !found {
		err = missing(name)
	}
	return r, err
}

// Delete removes a version; NotFound when there is none.
func (p *Packages) Delete(_ context.Context, name gateway.PackageName) error {
	if _, err := p.read(name); err != nil {
		return err
	}
	key, err := packageKey(name)
	if err != nil {
		return err
	}
	return p.store.packages.Delete(key)
}

// List returns every version below a prefix, in order of creation.
func (p *Packages) List(_ context.Context, in gateway.PackageName) ([]gateway.PackageName, error) {
	type dated struct {
		name gateway.PackageName
		at   int64
	}
	var all []dated
	err := p.store.packages.Each(store.Key(in.Type, in.Tenant, in.Namespace)+"/", func(key string, r store.Package) error {
		name, ok := packageName(key)
		if !ok {
			return errors.New("the key is no package name")
		}
		if in.Name == "" || in.Name == name.Name {
			all = append(all, dated{name: name, at: r.CreatedMs})
		}
		return nil
	})
	slices.SortStableFunc(all, func(x, y dated) int { return int(x.at - y.at) })
	names := make([]gateway.PackageName, len(all))
	for i, d := range all {
		names[i] = d.name
	}
	return names, err
}
