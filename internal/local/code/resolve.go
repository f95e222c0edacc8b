package code

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/gateway"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

const fetchWithin = 5 * time.Minute

// Resolve finds the file that a component's code means and the digest of its content.
// The gateway has stored the code already and says so by digest; for callers on this
// machine a path is copied and a URL fetched here. When remote says that whoever asked
// is elsewhere, only packages are taken.
func (s *Store) Resolve(ctx context.Context, c spec.Code, digest string, remote bool) (file, sum string, err error) {
	if digest == "" {
		digest = c.SHA256
	}
	if digest != "" {
		file, err = s.Find(digest, filepath.Base(c.File))
		if err == nil || !engine.Is(err, engine.NotFound) {
			return file, digest, matches(c, digest, err)
		}
	}
	switch {
	case remote && !isPackage(c.URL):
		err = &engine.Error{
			Class: engine.Forbidden, Hint: "Upload the code with the request, or before as a package and name its function:// URL",
			Err: errors.New("the code was not uploaded, and over TCP nothing is fetched"),
		}
	case c.URL != "":
		file, sum, err = s.fetch(ctx, c.URL)
	case c.File != "":
		file, sum, err = s.ingest(ctx, c.File)
	default:
		err = engine.New(engine.Invalid, errors.New("there is no code: neither a file was uploaded nor is there a url"))
	}
	return file, sum, matches(c, sum, err)
}

// matches holds the content to the digest that the component names.
func matches(c spec.Code, sum string, err error) error {
	if err == nil && c.SHA256 != "" && c.SHA256 != sum {
		return &engine.Error{
			Class: engine.Invalid, Path: "sha256", Hint: "The file changed, or the digest is of another one",
			Err: fmt.Errorf("the code has digest %s, not %s", sum, c.SHA256),
		}
	}
	return err
}

// isPackage reports whether a URL names an uploaded package: it is content of this
// store already, so that whoever may declare components may use it.
func isPackage(text string) bool {
	scheme, _, _ := strings.Cut(text, "://")
	return slices.Contains([]string{"function", "source", "sink"}, scheme)
}

func (s *Store) fetch(ctx context.Context, text string) (file, sum string, err error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", "", engine.New(engine.Invalid, err)
	}
	switch {
	case isPackage(text):
		return s.fromPackage(text)
	case u.Scheme == "http", u.Scheme == "https":
		return s.download(ctx, u)
	}
	return "", "", engine.New(engine.Invalid, fmt.Errorf("%q is no URL of code: use function:// or https://", text))
}

func (s *Store) fromPackage(text string) (file, sum string, err error) {
	name, err := gateway.ParsePackage(text)
	if err != nil {
		return "", "", err
	}
	r, err := s.Packages().read(name)
	if engine.Is(err, engine.NotFound) {
		return "", "", engine.New(engine.Invalid, err) // of the object that names it, not the object itself
	}
	if err != nil {
		return "", "", err
	}
	file, err = s.Find(r.Digest, r.FileName)
	return file, r.Digest, err
}

// ingest copies a file of this machine.
func (s *Store) ingest(ctx context.Context, name string) (file, sum string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return "", "", engine.New(engine.Invalid, err)
	}
	defer f.Close()
	return s.Put(ctx, filepath.Base(name), f)
}

func (s *Store) download(ctx context.Context, u *url.URL) (file, sum string, err error) {
	client := &http.Client{Timeout: fetchWithin}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return "", "", engine.New(engine.Invalid, err)
	}
	res, err := client.Do(req)
	if err != nil {
		return "", "", engine.New(engine.Unavailable, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		class := engine.Invalid
		if res.StatusCode >= http.StatusInternalServerError || res.StatusCode == http.StatusTooManyRequests {
			class = engine.Unavailable
		}
		return "", "", engine.New(class, fmt.Errorf("%s answers %s", u.Redacted(), res.Status))
	}
	return s.Put(ctx, path.Base(u.Path), res.Body)
}
