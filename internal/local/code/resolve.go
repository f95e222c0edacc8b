package code

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/gateway"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

const (
	fetchWithin  = 5 * time.Minute
	maxRedirects = 10
)

// Resolve finds the file that a component's code means and the digest of its content,
// fetching it when it is a URL. remote says that whoever asked is not a user of this
// machine: files of this machine and addresses of private networks are refused then.
// A digest that is given must be the content's.
func (s *Store) Resolve(ctx context.Context, c spec.Code, remote bool) (file, sum string, err error) {
	switch {
	case c.URL != "":
		file, sum, err = s.fetch(ctx, c.URL, remote)
	case c.SHA256 != "":
		sum = c.SHA256
		file, err = s.Find(c.SHA256, filepath.Base(c.File))
		if engine.Is(err, engine.NotFound) && c.File != "" {
			file, sum, err = s.ingest(ctx, c.File, remote)
		}
	case c.File != "":
		file, sum, err = s.ingest(ctx, c.File, remote)
	default:
		err = engine.New(engine.Invalid, errors.New("there is no code: neither a file was uploaded nor is there a url"))
	}
	if err != nil {
		return "", "", err
	}
	if c.SHA256 != "" && c.SHA256 != sum {
		return "", "", &engine.Error{
			Class: engine.Invalid, Path: "sha256", Hint: "The file changed, or the digest is of another one",
			Err: fmt.Errorf("the code has digest %s, not %s", sum, c.SHA256),
		}
	}
	return file, sum, nil
}

func (s *Store) fetch(ctx context.Context, text string, remote bool) (file, sum string, err error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", "", engine.New(engine.Invalid, err)
	}
	switch u.Scheme {
	case "function", "source", "sink":
		return s.fromPackage(u)
	case "http", "https":
		return s.download(ctx, u, remote)
	case "file":
		return s.ingest(ctx, u.Path, remote)
	}
	return "", "", engine.New(engine.Invalid, fmt.Errorf("%q is no URL of code: use function://, https:// or file://", text))
}

// ParsePackage reads type://tenant/namespace/name@version; without a version it is
// latest, as with Pulsar.
func ParsePackage(u *url.URL) (gateway.PackageName, error) {
	p := strings.Split(strings.TrimPrefix(u.Path, "/"), "/")
	if u.Host == "" || len(p) != 2 {
		return gateway.PackageName{}, engine.New(engine.Invalid, fmt.Errorf("%s is no package: it reads %s://tenant/namespace/name@version", u, u.Scheme))
	}
	name, version, found := strings.Cut(p[1], "@")
	if !found {
		version = "latest"
	}
	return gateway.PackageName{Type: u.Scheme, Tenant: u.Host, Namespace: p[0], Name: name, Version: version}, nil
}

func (s *Store) fromPackage(u *url.URL) (file, sum string, err error) {
	name, err := ParsePackage(u)
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
func (s *Store) ingest(ctx context.Context, name string, remote bool) (file, sum string, err error) {
	if remote {
		return "", "", engine.New(engine.Forbidden, errors.New("a file of this machine may be named on its own socket only; upload it"))
	}
	f, err := os.Open(name)
	if err != nil {
		return "", "", engine.New(engine.Invalid, err)
	}
	defer f.Close()
	return s.Put(ctx, filepath.Base(name), f)
}

func (s *Store) download(ctx context.Context, u *url.URL, remote bool) (file, sum string, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	client := fetcher(remote)
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return "", "", engine.New(engine.Invalid, err)
	}
	res, err := client.Do(req)
	if err != nil {
		if engine.ClassOf(err) != "" {
			return "", "", err
		}
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

// fetcher judges the address that is really dialled, so that neither a name that
// resolves to a private address nor a redirect gets around it.
func fetcher(remote bool) *http.Client {
	dialer := &net.Dialer{Timeout: 30 * time.Second}
	transport := &http.Transport{DialContext: dialer.DialContext, Proxy: http.ProxyFromEnvironment}
	if remote {
		transport.Proxy = nil // the proxy would dial on our behalf
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return err
			}
			ip, err := netip.ParseAddr(host)
			if err != nil {
				return err
			}
			if !public(ip) {
				return engine.New(engine.Forbidden, errors.New("code is not fetched from a private address for requests over TCP"))
			}
			return nil
		}
	}
	return &http.Client{Transport: transport, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return errors.New("too many redirects")
		}
		if req.URL.Scheme != "https" && via[0].URL.Scheme == "https" {
			return errors.New("redirected from https to http")
		}
		return nil
	}}
}

var shared = netip.MustParsePrefix("100.64.0.0/10")

func public(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !shared.Contains(ip)
}
