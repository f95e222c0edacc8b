package admin

import (
	"errors"
	"net/http"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Options say where the REST API is and who we are.
type Options struct {
	// URL is http://…, https://… or unix:///path/of/socket.
	URL string
	// Token is sent as bearer; TokenFile is read anew for each request, so that a
	// rotated token is used at once. At most one of them.
	Token     spec.Secret
	TokenFile string
	TLS       TLS
	// Timeout bounds one request; 0: 5 minutes, long enough for an upload.
	Timeout time.Duration
	// Transport replaces the network, for tests; nil: one made from URL and TLS.
	Transport http.RoundTripper
}

// TLS are the files of a TLS connection.
type TLS struct {
	CAFile   string
	CertFile string
	KeyFile  string
	Insecure bool // accept any certificate
}

// New returns the clients of all kinds. It makes no network call.
func New(_ Options) (catalog.Clients, error) {
	return catalog.Clients{}, errors.ErrUnsupported
}
