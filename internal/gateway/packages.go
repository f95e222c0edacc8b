package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

var errNoPackages = engine.New(engine.Invalid, errors.New("packages are not kept here"))

// packageTypes are Pulsar's.
var packageTypes = []string{"function", "source", "sink"}

// ParsePackage reads type://tenant/namespace/name@version; the version may be missing.
func ParsePackage(text string) (PackageName, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	rest, version, _ := strings.Cut(rest, "@")
	parts := strings.Split(rest, "/")
	if len(parts) != 3 || !slices.Contains(packageTypes, scheme) {
		return PackageName{}, invalid("", "%q is no package: write function://tenant/namespace/name@version", text)
	}
	if err := spec.CheckPackage(parts[0], parts[1], parts[2], version); err != nil {
		return PackageName{}, invalid("", "%q: %w", text, err)
	}
	return PackageName{Type: scheme, Tenant: parts[0], Namespace: parts[1], Name: parts[2], Version: version}, nil
}

func (s *server) packageRoutes(r chi.Router) {
	r.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case s.Packages == nil:
				failAs(w, errNoPackages, http.StatusServiceUnavailable)
			case !slices.Contains(packageTypes, param(r, "type")):
				fail(w, invalid("", "%q is no type of package", param(r, "type")))
			default:
				next.ServeHTTP(w, r)
			}
		})
	})
	r.Get("/", s.listPackages)
	r.With(named).Get("/{package}", s.listVersions)
	r.Route("/{package}/{version}", func(r chi.Router) {
		r.Use(named)
		r.Post("/", s.uploadPackage)
		r.Get("/", s.downloadPackage)
		r.Delete("/", func(w http.ResponseWriter, r *http.Request) {
			done(w, s.Packages.Delete(r.Context(), packageOf(r)))
		})
		r.Get("/metadata", s.getMetadata)
		r.Put("/metadata", s.putMetadata)
	})
}

// named lets only names through that objects may have.
func named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := packageOf(r)
		if err := spec.CheckPackage(p.Tenant, p.Namespace, p.Name, p.Version); err != nil {
			fail(w, invalid("", "%w", err))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func packageOf(r *http.Request) PackageName {
	return PackageName{
		Type: param(r, "type"), Tenant: param(r, "tenant"), Namespace: param(r, "namespace"),
		Name: param(r, "package"), Version: param(r, "version"),
	}
}

// openPackage opens a package by URL; without a version the newest is meant.
func (s *server) openPackage(ctx context.Context, text string) (io.ReadCloser, error) {
	name, err := ParsePackage(text)
	if err != nil {
		return nil, err
	}
	if s.Packages == nil {
		return nil, errNoPackages
	}
	if name.Version == "" || name.Version == "latest" {
		if name, err = s.newest(ctx, name); err != nil {
			return nil, err
		}
	}
	body, _, err := s.Packages.Open(ctx, name)
	return body, err
}

// newest is the version of a package that was uploaded last.
func (s *server) newest(ctx context.Context, name PackageName) (PackageName, error) {
	name.Version = ""
	all, err := s.Packages.List(ctx, name)
	if err != nil {
		return name, err
	}
	if len(all) == 0 {
		return name, engine.New(engine.NotFound, fmt.Errorf("package %s doesn't exist", name))
	}
	return all[len(all)-1], nil
}

func (s *server) listPackages(w http.ResponseWriter, r *http.Request) {
	s.answerNames(w, r, func(p PackageName) string { return p.Name })
}

func (s *server) listVersions(w http.ResponseWriter, r *http.Request) {
	s.answerNames(w, r, func(p PackageName) string { return p.Version })
}

func (s *server) answerNames(w http.ResponseWriter, r *http.Request, part func(PackageName) string) {
	all, err := s.Packages.List(r.Context(), packageOf(r))
	names := []string{}
	for _, p := range all {
		if name := part(p); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	answerOr(w, names, err)
}

// uploadPackage wants the metadata before the file, as every client sends them: the
// file is stored as it arrives.
func (s *server) uploadPackage(w http.ResponseWriter, r *http.Request) {
	var meta PackageMetadata
	stored := false
	err := eachPart(r, func(name string, p *multipart.Part) error {
		switch name {
		case "metadata":
			b, err := readPart(p)
			if err != nil {
				return err
			}
			if stored {
				return invalid("", "the part metadata must come before the part file")
			}
			if err := json.Unmarshal(b, &meta); err != nil {
				return invalid("", "the part metadata cannot be read: %w", err)
			}
			return nil
		case "file":
			meta.FileName = p.FileName()
			counted := &reader{Reader: p}
			err := s.Packages.Put(r.Context(), packageOf(r), meta, counted)
			if counted.failed != nil {
				return bodyError(counted.failed)
			}
			stored = err == nil
			return err
		}
		return invalid("", "the part %q is not known here", name)
	})
	if err == nil && !stored {
		err = invalid("", `the part "file" is missing`)
	}
	if err != nil && stored {
		err = errors.Join(err, s.Packages.Delete(r.Context(), packageOf(r)))
	}
	done(w, err)
}

func (s *server) downloadPackage(w http.ResponseWriter, r *http.Request) {
	body, _, err := s.Packages.Open(r.Context(), packageOf(r))
	stream(w, body, err)
}

// stream answers bytes. A failure half-way cuts the connection, so that the client
// does not take a part for the whole.
func stream(w http.ResponseWriter, body io.ReadCloser, err error) {
	if err != nil {
		fail(w, err)
		return
	}
	defer body.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	if _, err := io.Copy(w, body); err != nil {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
	}
}

func (s *server) getMetadata(w http.ResponseWriter, r *http.Request) {
	body, meta, err := s.Packages.Open(r.Context(), packageOf(r))
	if err == nil {
		_ = body.Close() // nothing was read
	}
	answerOr(w, meta, err)
}

func (s *server) putMetadata(w http.ResponseWriter, r *http.Request) {
	var meta PackageMetadata
	err := readJSON(r, &meta)
	if err == nil {
		err = s.Packages.Put(r.Context(), packageOf(r), meta, nil)
	}
	done(w, err)
}
