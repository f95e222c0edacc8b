package admin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"github.com/apache/pulsar-client-go/pulsaradmin/pkg/rest"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/pulsarform"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// form is the multipart body that registers or updates a component. It is held in
// memory, because a Pulsar redirects such requests to another worker.
type form struct {
	body        *bytes.Buffer
	contentType string
}

// form writes the parts in the order in which every server can use them. withCode says
// that the code must be sent: on creation, or because it is other code than before.
func (c *components) form(want engine.Object[spec.Component], withCode bool) (form, error) {
	s := want.Spec.Clone()
	s.Kind = c.kind
	lang, chosen := s.Runtime.Chosen()
	var code upload
	if chosen != nil {
		var err error
		if code, err = readUpload(spec.Path("runtime").Field(lang), chosen, withCode); err != nil {
			return form{}, err
		}
		// Where the file lies on this machine is no business of the server.
		chosen.File = ""
		want.Marks.Digest = chosen.SHA256
	}
	config, err := pulsarform.Encode(pulsarform.Decoded{Component: s, Envelope: pulsarform.Envelope{
		Owner: want.Marks.Owner, Mesh: want.Marks.Mesh, Creating: want.Marks.Creating, Digest: want.Marks.Digest,
		BaseDir: want.Marks.BaseDir,
		Rest:    pulsarform.WithConnections(explicit(s), want.Marks.Connections),
	}})
	if err != nil {
		return form{}, engine.New(engine.Invalid, err)
	}
	f := form{body: &bytes.Buffer{}}
	w := multipart.NewWriter(f.body)
	f.contentType = w.FormDataContentType()
	err = part(w, c.config, "application/json", config)
	if err == nil {
		err = code.write(w)
	}
	return f, errors.Join(err, w.Close())
}

// upload is the code that goes with a form: a URL, or a file and its name, or neither.
type upload struct {
	url, name string
	file      []byte
}

func readUpload(path spec.Path, code *spec.Code, withCode bool) (upload, error) {
	switch {
	case !withCode:
		return upload{}, nil
	case code.URL != "":
		return upload{url: code.URL}, nil
	}
	file, err := readCode(path, code)
	return upload{name: filepath.Base(code.File), file: file}, err
}

func (u upload) write(w *multipart.Writer) error {
	if u.url != "" {
		return part(w, "url", "text/plain", []byte(u.url))
	}
	if u.file == nil {
		return nil
	}
	to, err := w.CreateFormFile("data", u.name)
	if err == nil {
		_, err = to.Write(u.file)
	}
	return err
}

func part(w *multipart.Writer, name, contentType string, content []byte) error {
	to, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {fmt.Sprintf(`form-data; name=%q`, name)}, "Content-Type": {contentType},
	})
	if err == nil {
		_, err = to.Write(content)
	}
	return err
}

// readCode reads the file and sees to it that it is the one that was planned.
func readCode(path spec.Path, code *spec.Code) ([]byte, error) {
	if code.File == "" {
		return nil, &engine.Error{
			Class: engine.Invalid, Path: string(path.Field("file")), Err: errors.New("is needed to send the code, and is not set"),
		}
	}
	b, err := os.ReadFile(code.File)
	if err != nil {
		return nil, &engine.Error{Class: engine.Invalid, Path: string(path.Field("file")), Err: err}
	}
	sum := sha256.Sum256(b)
	digest := hex.EncodeToString(sum[:])
	if code.SHA256 != "" && code.SHA256 != digest {
		return nil, &engine.Error{
			Class: engine.Invalid, Path: string(path.Field("sha256")),
			Err:  fmt.Errorf("%s has the digest %s, not %s: it changed since it was planned", code.File, digest, code.SHA256),
			Hint: "Plan again",
		}
	}
	code.SHA256 = digest
	return b, nil
}

// send posts or puts a form. Our own server is told that the configuration is whole.
func (c *components) send(ctx context.Context, method string, key engine.Key, f form) (*exchange, error) {
	ctx, x := withExchange(ctx)
	x.send.Set(pulsarform.HeaderReplace, "true")
	err := c.in(ctx, x, func(ctx context.Context) error {
		body := bytes.NewReader(f.body.Bytes())
		if method == http.MethodPost {
			return c.rest.PostWithMultiPartWithContext(ctx, c.pathOf(key), nil, body, f.contentType)
		}
		return c.rest.PutWithMultiPartWithContext(ctx, c.pathOf(key), body, f.contentType)
	})
	return x, err
}

func (c *components) post(ctx context.Context, path string) error {
	_, err := c.call(ctx, func(ctx context.Context) error { return c.rest.PostWithContext(ctx, path, nil) })
	return err
}

// Act implements engine.Actor. Verbs: start, stop and restart, of all instances or of
// the one that args names as "instance"; trigger, for functions: args "data" is the
// message, "topic" the input that it seems to come from, where there are several; the
// result is what the function made of it; seek, which only our own servers know: args
// "to" is earliest, latest or a time of RFC 3339.
func (c *components) Act(ctx context.Context, key engine.Key, verb string, args map[string]string) (string, error) {
	switch verb {
	case "start", "stop", "restart":
		instance := args["instance"]
		if instance != "" {
			if _, err := strconv.ParseUint(instance, 10, 31); err != nil {
				return "", engine.New(engine.Invalid, fmt.Errorf("%q is no number of an instance", instance))
			}
		}
		return "", c.post(ctx, c.pathOf(key, instance, verb))
	case "seek":
		return "", c.seek(ctx, key, args["to"])
	case "trigger":
		if c.kind == spec.KindFunction {
			return c.trigger(ctx, key, args)
		}
	}
	return "", engine.New(engine.Invalid, fmt.Errorf("a %s cannot be asked to %s", c.kind, verb))
}

// seek is refused by a Pulsar as a path that it does not know.
func (c *components) seek(ctx context.Context, key engine.Key, to string) error {
	x, err := c.call(ctx, func(ctx context.Context) error {
		return c.rest.PostWithQueryParamsWithContext(ctx, c.pathOf(key, "seek"), nil, map[string]string{"to": to})
	})
	if err != nil && !ours(x) {
		return &engine.Error{
			Class: engine.Invalid, Err: fmt.Errorf("a Pulsar function worker cannot move the subscription of a %s: %w", c.kind, err),
			Hint: "Stop it, use `pulsar-admin topics reset-cursor`, and start it",
		}
	}
	return err
}

func (c *components) trigger(ctx context.Context, key engine.Key, args map[string]string) (string, error) {
	body := &bytes.Buffer{}
	w := multipart.NewWriter(body)
	err := part(w, "data", "text/plain", []byte(args["data"]))
	if topic := args["topic"]; err == nil && topic != "" {
		err = part(w, "topic", "text/plain", []byte(topic))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return "", err
	}
	var text []byte
	_, err = c.call(ctx, func(ctx context.Context) (err error) {
		text, err = c.exchangeBytes(ctx, c.pathOf(key, "trigger"), body, w.FormDataContentType())
		return err
	})
	return string(text), err
}

// exchangeBytes posts and returns the answer as it is, which pulsaradmin's client
// cannot.
func (a *api) exchangeBytes(ctx context.Context, path string, body io.Reader, contentType string) ([]byte, error) {
	const most = 16 << 20
	to, err := url.JoinPath(a.rest.ServiceURL, path)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := a.rest.HTTPClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		refused := rest.Error{Code: resp.StatusCode, Reason: string(answer)}
		_ = json.Unmarshal(answer, &refused) // else the text itself is the reason
		return nil, refused
	}
	return answer, nil
}
