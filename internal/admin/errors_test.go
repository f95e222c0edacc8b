package admin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/admin"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func TestAnswersOfAPulsarHaveClasses(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		want   engine.Class
	}{
		"Exists":        {409, `{"reason":"exists"}`, engine.Exists},
		"Page":          {409, "<html>" + strings.Repeat("long ", 1000), engine.Exists},
		"FunctionThere": {400, `{"reason":"Function f already exists"}`, engine.Exists},
		"NotThere":      {400, `{"reason":"Function f doesn't exist"}`, engine.NotFound},
		"Bad":           {400, `{"reason":"no"}`, engine.Invalid},
		"Unauthorized":  {401, "", engine.Forbidden},
		"Forbidden":     {403, `{"reason":"no"}`, engine.Forbidden},
		"Precondition":  {412, `{"reason":"no"}`, engine.Invalid},
		"Starting":      {503, "", engine.Unavailable},
		"Lost":          {500, `{"reason":"BadVersionException"}`, engine.Conflict},
		"Broken":        {500, `{"reason":"NullPointerException"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			}))
			t.Cleanup(server.Close)
			clients, err := admin.New(admin.Options{URL: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			want := engine.Object[spec.Tenant]{Spec: spec.Tenant{Name: "t", AllowedClusters: []string{"c"}}}
			_, err = clients.Tenants.Create(t.Context(), want)
			if err == nil || engine.ClassOf(err) != tc.want {
				t.Errorf("got %v of class %q, want %q", err, engine.ClassOf(err), tc.want)
			}
			if len(err.Error()) > 1200 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

// Who is refused learns what to look at, from the words of a page too.
func TestRefusedCredentials(t *testing.T) {
	const page = "<html>\n<head>\n<title>Error 401 Authentication required</title>\n</head>\n<body><h2>HTTP ERROR 401</h2></body></html>"
	for name, tc := range map[string]struct {
		status  int
		body    string
		message string
		words   []string
	}{
		"Unauthenticated": {401, page, "answers 401: Error 401 Authentication required", []string{"token", "expired"}},
		"Unauthorized":    {403, `{"reason":"Unauthorized to CREATE_TOPIC"}`, "answers 403: Unauthorized to CREATE_TOPIC", []string{"role", "grant"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			}))
			t.Cleanup(server.Close)
			clients, err := admin.New(admin.Options{URL: server.URL, Token: spec.NewSecret("wrong")})
			if err != nil {
				t.Fatal(err)
			}
			_, err = clients.Topics.Observe(t.Context(), engine.Key{Kind: "topic", Tenant: "public", Namespace: "default", Name: "t"})
			e, ok := errors.AsType[*engine.Error](err)
			if !ok || e.Class != engine.Forbidden || e.Err.Error() != server.URL+" "+tc.message {
				t.Fatalf("got %v", err)
			}
			for _, w := range tc.words {
				if !strings.Contains(e.Hint, w) {
					t.Errorf("hint %q lacks %q", e.Hint, w)
				}
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for name, url := range map[string]string{
		"TCP": closed.URL, "Socket": "unix://" + filepath.Join(t.TempDir(), "none"),
	} {
		t.Run(name, func(t *testing.T) {
			clients, err := admin.New(admin.Options{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			_, err = clients.Topics.Observe(t.Context(), engine.Key{Kind: "topic", Tenant: "public", Namespace: "default", Name: "t"})
			if !engine.Is(err, engine.Unavailable) || !strings.Contains(err.Error(), url) {
				t.Errorf("got %v, want class %q naming %s", err, engine.Unavailable, url)
			}
		})
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]admin.Options{
		"Nothing":    {},
		"NoScheme":   {URL: "localhost:8080"},
		"NoSocket":   {URL: "unix://"},
		"User":       {URL: "http://me:secret@host"},
		"TwoTokens":  {URL: "http://host", Token: spec.NewSecret("a"), TokenFile: "b"},
		"NoKey":      {URL: "https://host", TLS: admin.TLS{CertFile: "c"}},
		"NoCA":       {URL: "https://host", TLS: admin.TLS{CAFile: filepath.Join(t.TempDir(), "none")}},
		"OtherThing": {URL: "pulsar://host:6650"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := admin.New(o); err == nil {
				t.Error("accepted")
			} else if strings.Contains(err.Error(), "secret") {
				t.Errorf("%v shows a password", err)
			}
		})
	}
}

// A token that is rotated in its file is used by the next request.
func TestTokenFileIsReadAnew(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "token")
	clients, err := admin.New(admin.Options{URL: server.URL, TokenFile: file})
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"one", "two"} {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = clients.Tenants.Observe(t.Context(), engine.Key{Kind: "tenant", Name: "t"})
		if got != "Bearer "+token {
			t.Errorf("sent %q, want %q", got, token)
		}
	}
}

// A token file that is not there is the caller's to mend: nothing is asked again.
func TestNoTokenFile(t *testing.T) {
	clients, err := admin.New(admin.Options{URL: "http://localhost:1", TokenFile: filepath.Join(t.TempDir(), "none")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = clients.Tenants.Observe(t.Context(), engine.Key{Kind: "tenant", Name: "t"})
	if !engine.Is(err, engine.Invalid) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v of class %q, want %q", err, engine.ClassOf(err), engine.Invalid)
	}
}

// A name is one segment of a path, whatever is in it: no other path is asked.
func TestNamesDoNotClimb(t *testing.T) {
	for name, key := range map[string]engine.Key{
		"Dots":       {Tenant: "..", Namespace: "..", Name: "x"},
		"Dot":        {Tenant: ".", Namespace: "n", Name: "."},
		"Slashes":    {Tenant: "t", Namespace: "n", Name: "../../x"},
		"SlashesToo": {Tenant: "a/b", Namespace: "n", Name: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			var seen []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen = append(seen, r.URL.Path)
				w.WriteHeader(http.StatusNotFound)
			}))
			t.Cleanup(server.Close)
			clients, err := admin.New(admin.Options{URL: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			_, _ = clients.Topics.Observe(t.Context(), key) // what was asked is looked at
			_, _ = clients.Components[spec.KindFunction].Observe(t.Context(), key)
			for _, path := range seen {
				object := strings.HasPrefix(path, "/admin/v2/persistent/") || strings.HasPrefix(path, "/admin/v3/functions/")
				parent := strings.HasPrefix(path, "/admin/v2/tenants/") || strings.HasPrefix(path, "/admin/v2/namespaces/")
				if !object && !parent || object && strings.Count(path, "/") < 6 {
					t.Errorf("asked %s", path)
				}
			}
			if len(seen) == 0 {
				t.Error("nothing was asked")
			}
		})
	}
}
