package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/pulsarform"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

const defaultMaxUpload = 512 << 20

// server is one listener's handler.
type server struct {
	Options
}

// New returns the handler of one listener.
func New(opts Options) http.Handler {
	if opts.MaxUpload <= 0 {
		opts.MaxUpload = defaultMaxUpload
	}
	if opts.PlatformID == nil {
		opts.PlatformID = func() string { return "" }
	}
	s := &server{Options: opts}
	r := chi.NewRouter()
	r.Use(s.announce, s.authenticate)
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, engine.Invalid, "no such path in this API: "+r.Method+" "+r.URL.Path)
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusMethodNotAllowed, engine.Invalid, r.Method+" is not known for "+r.URL.Path)
	})
	r.Route("/admin/v2", func(r chi.Router) {
		s.clusterRoutes(r)
		s.tenantRoutes(r)
		s.namespaceRoutes(r)
		s.topicRoutes(r)
	})
	r.Route("/admin/v3", func(r chi.Router) {
		for kind, face := range faces {
			r.Route("/"+face.path, func(r chi.Router) { s.componentRoutes(r, kind, face) })
		}
		r.Route("/packages/{type}/{tenant}/{namespace}", s.packageRoutes)
	})
	return decoded(r)
}

// decoded makes routes match the decoded path, so that a name means the same however
// a client escapes it. Only a subscription's name may have slashes: its route takes the
// rest of the path.
func decoded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.RawPath = ""
		next.ServeHTTP(w, r)
	})
}

// announce names the platform on every answer and bounds every body.
func (s *server) announce(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(pulsarform.HeaderPlatform, s.PlatformID())
		r.Body = http.MaxBytesReader(w, r.Body, s.MaxUpload)
		next.ServeHTTP(w, r)
	})
}

// authenticate asks remote callers for the token. Digests are compared, so that
// neither time nor length tells anything about it. Without a token nobody remote is
// let in.
func (s *server) authenticate(next http.Handler) http.Handler {
	if !s.Remote {
		return next
	}
	want := sha256.Sum256([]byte(s.Token.Reveal()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		got := sha256.Sum256([]byte(token))
		if s.Token.IsZero() || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse(w, http.StatusUnauthorized, engine.Forbidden, "a valid bearer token is required")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *server) clusterRoutes(r chi.Router) {
	r.Get("/clusters", func(w http.ResponseWriter, _ *http.Request) { answer(w, []string{s.cluster()}) })
	r.Get("/brokers/health", func(w http.ResponseWriter, _ *http.Request) { answerText(w, "ok") })
}

func (s *server) cluster() string {
	if s.Cluster != "" {
		return s.Cluster
	}
	return s.PlatformID()
}

// param is a part of the path.
func param(r *http.Request, name string) string { return chi.URLParam(r, name) }

// keyOf is the key of the object that a path names.
func keyOf(r *http.Request, kind spec.Kind) engine.Key {
	return engine.Key{
		Kind: string(kind), Tenant: param(r, "tenant"), Namespace: param(r, "namespace"), Name: param(r, "name"),
	}
}
