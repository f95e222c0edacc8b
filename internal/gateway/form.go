package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// form is a request that registers or updates a component.
type form struct {
	config []byte
	url    string
	upload *stored // the data part, stored while it was read

	// partial says that config was merged with what is there, so that a digest in it
	// is that of the code before.
	partial bool
}

// stored is code in the store.
type stored struct{ file, sha256 string }

// readForm reads the parts in whatever order they come. Code goes to the store as it
// arrives, so that it is never held in memory.
func (a componentAPI) readForm(r *http.Request) (form, error) {
	var f form
	err := eachPart(r, func(name string, p *multipart.Part) error {
		var err error
		switch name {
		case a.config:
			f.config, err = readPart(p)
		case "url":
			var text []byte
			text, err = readPart(p)
			f.url = strings.TrimSpace(string(text))
		case "data":
			f.upload, err = a.put(r.Context(), p.FileName(), p)
		case "updateOptions": // about Pulsar's authentication data, which is not kept here
		default:
			err = invalid("", "the part %q is not known here; the configuration's is %q", name, a.config)
		}
		return err
	})
	if err == nil && f.config == nil {
		err = invalid("", "the part %q is missing", a.config)
	}
	return f, err
}

// eachPart calls use for every part of a multipart body.
func eachPart(r *http.Request, use func(name string, p *multipart.Part) error) error {
	reader, err := r.MultipartReader()
	if err != nil {
		return invalid("", "the body is not multipart/form-data: %w", err)
	}
	for {
		p, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return bodyError(err)
		}
		if err := use(p.FormName(), p); err != nil {
			return err
		}
	}
}

// bodyError is a body that breaks off or cannot be read: the caller's, but for its
// size not a fault of what it says.
func bodyError(err error) error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return invalid("", "the body is longer than %d bytes", tooLarge.Limit)
	}
	return invalid("", "the body cannot be read: %w", err)
}

func readPart(p *multipart.Part) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(p, maxDocument+1))
	switch {
	case err != nil:
		return nil, bodyError(err)
	case len(b) > maxDocument:
		return nil, invalid("", "the part %q is longer than %d bytes", p.FormName(), maxDocument)
	}
	return b, nil
}

// put stores code under the caller's name for it, which keeps only the last element:
// it comes from outside.
func (s *server) put(ctx context.Context, name string, r io.Reader) (*stored, error) {
	if s.Code == nil {
		return nil, invalid("", "user code cannot be stored here")
	}
	name = filepath.Base(filepath.Clean("/" + strings.ReplaceAll(name, `\`, "/")))
	counted := &reader{Reader: r}
	file, sum, err := s.Code.Put(ctx, name, counted)
	if counted.failed != nil {
		return nil, bodyError(counted.failed)
	}
	if err != nil {
		return nil, fmt.Errorf("store the code: %w", err)
	}
	return &stored{file: file, sha256: sum}, nil
}

// reader remembers that reading, rather than storing, went wrong.
type reader struct {
	io.Reader
	failed error
}

// Read implements io.Reader.
func (r *reader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		r.failed = err
	}
	return n, err
}

// place says in want where its code is: just uploaded, behind a URL, or where it was.
// The digest in the marks is always that of the bytes; of code behind a URL the platform
// fetches both.
func (a componentAPI) place(want *engine.Object[spec.Component], f form, have engine.Object[spec.Component]) error {
	lang, code := want.Spec.Runtime.Chosen()
	if code == nil {
		return a.placeBuiltin(want, f)
	}
	path := spec.Path("runtime").Field(lang)
	if f.url != "" {
		code.URL = f.url
	}
	if f.upload != nil {
		want.Marks.Digest = f.upload.sha256
		return placeUpload(path, code, f)
	}
	oldLang, old := have.Spec.Runtime.Chosen()
	switch {
	case old != nil && oldLang == lang && (code.URL == "" || code.URL == old.URL):
		want.Marks.Digest = have.Marks.Digest
		return placeOld(path, code, *old, have.Marks.Digest)
	case code.URL == "":
		return invalid(path, "no code was sent: neither a file nor a URL")
	case a.Remote && strings.HasPrefix(code.URL, "file:"):
		return &engine.Error{
			Class: engine.Forbidden, Path: string(path.Field("url")),
			Err: errors.New("a file of the platform's machine is taken from local callers only"), Hint: "Upload the file",
		}
	default:
		code.File, want.Marks.Digest = "", ""
	}
	return nil
}

func placeUpload(path spec.Path, code *spec.Code, f form) error {
	if !f.partial && code.SHA256 != "" && code.SHA256 != f.upload.sha256 {
		return mismatch(path, code.SHA256, f.upload.sha256)
	}
	code.File, code.URL, code.SHA256 = f.upload.file, "", f.upload.sha256
	return nil
}

// placeOld keeps the code that is there, whose bytes have the digest, under the class
// that was sent.
func placeOld(path spec.Path, code *spec.Code, old spec.Code, digest string) error {
	class, sum := code.Class, code.SHA256
	*code = old
	code.Class = class
	if sum != "" && sum != digest {
		return mismatch(path, sum, digest)
	}
	return nil
}

// placeBuiltin takes the connector from a URL, where some clients put it.
func (a componentAPI) placeBuiltin(want *engine.Object[spec.Component], f form) error {
	want.Marks.Digest = ""
	if f.upload != nil || f.url != "" && !strings.HasPrefix(f.url, "builtin://") {
		return invalid("", "code was sent for a %s that runs none", a.kind)
	}
	name := strings.TrimPrefix(f.url, "builtin://")
	if name == "" {
		return nil
	}
	if want.Spec.Builtin != "" && want.Spec.Builtin != name {
		return invalid("builtin", "is %q in the configuration and %q in the URL", want.Spec.Builtin, name)
	}
	want.Spec.Builtin = name
	return nil
}

func mismatch(path spec.Path, want, got string) error {
	return invalid(path.Field("sha256"), "the code that arrived has the digest %s, not %s", got, want)
}
