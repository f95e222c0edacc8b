package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	pulsaradmin "github.com/apache/pulsar-client-go/pulsaradmin/pkg/admin"
	"github.com/apache/pulsar-client-go/pulsaradmin/pkg/admin/config"
	"github.com/apache/pulsar-client-go/pulsaradmin/pkg/rest"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/pulsarform"
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
	// Transport replaces the network. An engine.Error of its own is handed on as it is.
	// nil: one made from URL and TLS.
	Transport http.RoundTripper
}

// TLS are the files of a TLS connection.
type TLS struct {
	CAFile   string
	CertFile string
	KeyFile  string
	Insecure bool // accept any certificate
	// AnyHostname accepts the certificate of another host, if an authority signed it.
	AnyHostname bool
}

// New returns the clients of all kinds. It makes no network call.
func New(o Options) (catalog.Clients, error) {
	a, err := open(o)
	if err != nil {
		return catalog.Clients{}, err
	}
	clients := catalog.Clients{
		Tenants: &tenants{a}, Namespaces: &namespaces{a}, Topics: &topics{a},
		Components: map[spec.Kind]engine.Client[spec.Component]{},
	}
	for kind, face := range faces {
		clients.Components[kind] = &components{api: a, kind: kind, face: face}
	}
	return clients, nil
}

// open prepares one REST API.
func open(o Options) (*api, error) {
	if !o.Token.IsZero() && o.TokenFile != "" {
		return nil, errors.New("either a token or a token file, not both")
	}
	base, baseURL, err := connect(o)
	if err != nil {
		return nil, err
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Minute
	}
	provider := &network{base: base, token: o.Token, tokenFile: o.TokenFile}
	pulsar, err := pulsaradmin.NewPulsarClientWithAuthProvider(
		&config.Config{WebServiceURL: baseURL, PulsarAPIVersion: config.V2}, provider)
	if err != nil {
		return nil, err
	}
	return &api{
		url: o.URL, timeout: o.Timeout, pulsar: pulsar,
		rest: &rest.Client{ServiceURL: baseURL, VersionInfo: "functionmesh", HTTPClient: &http.Client{Transport: provider}},
	}, nil
}

// api is one REST API, shared by the clients of all kinds.
type api struct {
	url     string // as the user wrote it
	timeout time.Duration
	pulsar  pulsaradmin.Client
	rest    *rest.Client

	mu      sync.Mutex
	cluster string // name of a Pulsar's cluster, once it is known
}

// call makes one request and gives its failure a class.
func (a *api) call(ctx context.Context, do func(context.Context) error) (*exchange, error) {
	ctx, x := withExchange(ctx)
	return x, a.in(ctx, x, do)
}

// in makes one request within an exchange that was prepared.
func (a *api) in(ctx context.Context, x *exchange, do func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	err := do(limited)
	if err == nil {
		return nil
	}
	return a.classify(ctx, x, err)
}

// classify tells an answer that refuses from none at all.
func (a *api) classify(ctx context.Context, x *exchange, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if refused, ok := errors.AsType[rest.Error](err); ok {
		field, hint := x.answer.Get(pulsarform.HeaderField), x.answer.Get(pulsarform.HeaderHint)
		// The reason is whole, for clients that read nothing else.
		text := strings.TrimPrefix(reason(refused), field+": ")
		if hint != "" {
			text = strings.TrimSuffix(text, ". "+hint)
		}
		if cure := credentials(refused.Code); cure != "" && hint == "" && !ours(x) {
			return &engine.Error{Class: classOf(x, refused), Hint: cure, Err: fmt.Errorf("%s answers %d: %s", a.url, refused.Code, text)}
		}
		return &engine.Error{Class: classOf(x, refused), Path: field, Hint: hint, Err: errors.New(text)}
	}
	if told, ok := errors.AsType[*engine.Error](err); ok {
		return told
	}
	if x.status != 0 {
		return &answerError{url: a.url, err: err}
	}
	if broken, ok := errors.AsType[*url.Error](err); ok {
		err = broken.Err // it names the URL of the request, which nobody wrote
	}
	return &engine.Error{
		Class: engine.Unavailable, Err: &answerError{url: a.url, err: err},
		Hint: "Check that the platform runs and that the address is right",
	}
}

// classOf takes our own server's word, else reads the status as Pulsar means it.
func classOf(x *exchange, refused rest.Error) engine.Class {
	if class := x.answer.Get(pulsarform.HeaderClass); class != "" {
		return engine.Class(class)
	}
	text := strings.ToLower(refused.Reason)
	switch {
	case refused.Code == http.StatusBadRequest && strings.Contains(text, "already exist"):
		return engine.Exists
	case refused.Code == http.StatusBadRequest && strings.Contains(text, "doesn't exist"):
		return engine.NotFound
	case refused.Code == http.StatusInternalServerError && strings.Contains(text, "alreadyexistsexception"):
		return engine.Exists // two creations at once
	case refused.Code == http.StatusInternalServerError && strings.Contains(text, "badversionexception"):
		return engine.Conflict // two changes at once
	case refused.Code == http.StatusPreconditionFailed:
		return engine.Invalid // Pulsar answers so to names and numbers that it refuses
	}
	return engine.Class(pulsarform.ClassOf(refused.Code))
}

// credentials is what to do about an answer that is about who we are.
func credentials(code int) string {
	switch code {
	case http.StatusUnauthorized:
		return "The credentials are missing, wrong or expired: check the token, the token file or the client certificate"
	case http.StatusForbidden:
		return "The role of the credentials has no right to this: grant it, or use the credentials of another role"
	}
	return ""
}

// reason is what the server said, shortened: some answers are whole HTML pages, of which
// the title tells enough.
func reason(refused rest.Error) string {
	const most = 1000
	text := strings.Join(strings.Fields(refused.Reason), " ")
	if _, titled, ok := strings.Cut(text, "<title>"); ok {
		text, _, _ = strings.Cut(titled, "</title>")
	}
	if len(text) > most {
		text = text[:most] + "…"
	}
	if text == "" {
		return http.StatusText(refused.Code)
	}
	return text
}

// answerError is a request without a usable answer.
type answerError struct {
	url string
	err error
}

// Error names the platform as the user wrote it.
func (e *answerError) Error() string { return e.url + ": " + e.err.Error() }

// Unwrap gives the cause.
func (e *answerError) Unwrap() error { return e.err }

// platform identifies what answered: our servers say it; a Pulsar is known by the
// name of its cluster, which is weak: two clusters may share one.
func (a *api) platform(ctx context.Context, x *exchange) (string, error) {
	if id := x.answer.Get(pulsarform.HeaderPlatform); id != "" {
		return id, nil
	}
	a.mu.Lock()
	name := a.cluster
	a.mu.Unlock()
	if name != "" {
		return name, nil
	}
	names, err := a.clusters(ctx)
	if err != nil {
		return "", err
	}
	name = strings.Join(names, ",")
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cluster = name
	return name, nil
}

// clusters are the names of a Pulsar's clusters.
func (a *api) clusters(ctx context.Context) ([]string, error) {
	var names []string
	_, err := a.call(ctx, func(ctx context.Context) error {
		return a.rest.GetWithContext(ctx, "/admin/v2/clusters", &names)
	})
	return names, err
}

// ours reports whether our own server answered.
func ours(x *exchange) bool { return x.answer.Get(pulsarform.HeaderPlatform) != "" }

// found tells, after a read that failed, an object that is not there (false and no
// error) from a parent that is not there, and both from other failures.
func (a *api) found(ctx context.Context, x *exchange, key engine.Key, err error) error {
	if !engine.Is(err, engine.NotFound) || x.answer.Get(pulsarform.HeaderAbsent) != "" {
		if engine.Is(err, engine.NotFound) {
			return nil
		}
		return err
	}
	if ours(x) {
		return err
	}
	return a.parent(ctx, key)
}

// parent fails with NotFound when the tenant or namespace of key is not there. Who may
// not look at them is told that the object is not there, which was the answer.
func (a *api) parent(ctx context.Context, key engine.Key) error {
	if key.Tenant == "" {
		return nil
	}
	path := "/admin/v2/tenants/" + segment(key.Tenant)
	if key.Namespace != "" {
		path = "/admin/v2/namespaces/" + segment(key.Tenant) + "/" + segment(key.Namespace)
	}
	var ignored any
	_, err := a.call(ctx, func(ctx context.Context) error { return a.rest.GetWithContext(ctx, path, &ignored) })
	if engine.Is(err, engine.Forbidden) {
		return nil
	}
	return err
}
