package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
)

var errPrivate = errors.New("the address is private, and code from there is taken from local callers only")

// fetcher is the client that fetches code by URL. For remote callers it dials public
// addresses only, checked after the name is resolved, so that no name leads inside.
func fetcher(remote bool) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	if remote {
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("dial %s: %w", address, err)
			}
			if !isPublic(at.Addr().Unmap()) {
				return errPrivate
			}
			return nil
		}
	}
	transport := &http.Transport{
		DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second,
		ResponseHeaderTimeout: time.Minute, IdleConnTimeout: time.Second,
	}
	if !remote {
		transport.Proxy = http.ProxyFromEnvironment
	}
	return &http.Client{Transport: transport, Timeout: 10 * time.Minute}
}

// sharedSpace is carrier-grade NAT, which net/netip does not count as private.
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

func isPublic(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !sharedSpace.Contains(a)
}

// download stores the code behind a URL.
func (s *server) download(ctx context.Context, text string) (*stored, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, invalid("", "is no URL: %w", err)
	}
	var body io.ReadCloser
	switch u.Scheme {
	case "function":
		body, err = s.openPackage(ctx, text)
	case "http", "https":
		body, err = s.get(ctx, text)
	case "file":
		body, err = s.openFile(u)
	default:
		return nil, invalid("", "%q cannot be fetched: use function://tenant/namespace/name@version or https://…", text)
	}
	if err != nil {
		return nil, err
	}
	defer body.Close()
	limited := http.MaxBytesReader(nil, body, s.MaxUpload)
	return s.put(ctx, path.Base(u.Path), limited)
}

func (s *server) get(ctx context.Context, text string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, text, nil)
	if err != nil {
		return nil, invalid("", "is no URL: %w", err)
	}
	resp, err := s.fetch.Do(req)
	if errors.Is(err, errPrivate) {
		return nil, &engine.Error{Class: engine.Forbidden, Err: errPrivate}
	}
	if err != nil {
		return nil, engine.New(engine.Unavailable, fmt.Errorf("fetch the code: %w", err))
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, invalid("", "the code cannot be fetched: %s", resp.Status)
	}
	return resp.Body, nil
}

func (s *server) openFile(u *url.URL) (io.ReadCloser, error) {
	if s.Remote {
		return nil, &engine.Error{
			Class: engine.Forbidden, Err: errors.New("file: is taken from local callers only"), Hint: "Upload the file",
		}
	}
	if u.Host != "" && u.Host != "localhost" {
		return nil, invalid("", "file: names another host, %q", u.Host)
	}
	f, err := os.Open(strings.TrimPrefix(u.Path, "//"))
	if err != nil {
		return nil, invalid("", "the code cannot be read: %w", err)
	}
	return f, nil
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
