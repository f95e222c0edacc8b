package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/home"
)

const settingsFile = "settings.json"

// Settings are what a daemon was asked for when it started. They are kept in the data
// directory, so that whoever starts the next daemon need not know them, until Down.
type Settings struct {
	Listen         string `json:"listen,omitempty"` // as it was asked for: the port may be 0
	ListenAnywhere bool   `json:"listen_anywhere,omitempty"`
	IdleTimeoutMs  int64  `json:"idle_timeout_ms,omitempty"`
}

// with lets what o asks for go before what is remembered.
func (s Settings) with(o Options) Settings {
	if o.Listen != "" {
		s.Listen, s.ListenAnywhere = o.Listen, false
	}
	s.ListenAnywhere = s.ListenAnywhere || o.ListenAnywhere
	if o.IdleTimeout != 0 {
		s.IdleTimeoutMs = max(0, o.IdleTimeout.Milliseconds())
	}
	return s
}

func readSettings(dir home.Dir) (s Settings, err error) {
	text, err := os.ReadFile(dir.Path(settingsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return s, &engine.Error{
			Class: engine.Unavailable, Hint: "Remove that file and give the settings again",
			Err: fmt.Errorf("settings in %s: %w", dir.Path(settingsFile), err),
		}
	}
	return s, nil
}

func (s Settings) write(dir home.Dir) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return home.WriteFile(dir.Path(settingsFile), text)
}

func forget(dir home.Dir) error {
	if err := os.Remove(dir.Path(settingsFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// use takes a running daemon with what o asks for: the idle timeout is changed, and
// what only a start can bring about is refused where it differs.
func (c *Client) use(ctx context.Context, o Options) (*Client, error) {
	if err := c.differs(o); err != nil {
		return nil, err
	}
	want := c.hello.Settings.with(Options{IdleTimeout: o.IdleTimeout})
	if want == c.hello.Settings {
		return c, nil
	}
	if err := c.call(ctx, http.MethodPut, "/settings", want, nil); err != nil {
		return nil, fmt.Errorf("idle timeout: %w", err)
	}
	c.hello.Settings = want
	return c, nil
}

func (c *Client) differs(o Options) error {
	h := c.hello
	if o.Listen != "" && o.Listen != h.Settings.Listen && o.Listen != h.Listen {
		at := ""
		if h.Listen != "" {
			at = ", but on " + h.Listen
		}
		return otherwise("listen", fmt.Errorf("the local platform runs without --listen %s%s", o.Listen, at))
	}
	if o.ListenAnywhere && !h.Settings.ListenAnywhere {
		return otherwise("listen-anywhere", errors.New("the local platform runs without --listen-anywhere"))
	}
	if o.Token.IsZero() {
		return nil
	}
	text, err := os.ReadFile(c.TokenFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if strings.TrimSpace(string(text)) != o.Token.Reveal() {
		return otherwise("token-file", errors.New("the local platform runs with another token than that of --token-file"))
	}
	return nil
}

func otherwise(path string, err error) error {
	return &engine.Error{Class: engine.Conflict, Path: path, Hint: "Run `functionmesh local down` first", Err: err}
}

// putSettings changes what can be changed while the daemon runs.
func (d *daemon) putSettings(r *http.Request) (any, error) {
	var q Settings
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	d.asked.Lock()
	defer d.asked.Unlock()
	next := d.settings
	next.IdleTimeoutMs = max(0, q.IdleTimeoutMs)
	if err := next.write(d.dir); err != nil {
		return nil, err
	}
	d.settings = next
	return nil, nil //nolint:nilnil // an answer without content
}

func (d *daemon) current() Settings {
	d.asked.Lock()
	defer d.asked.Unlock()
	return d.settings
}

func (d *daemon) idleTimeout() time.Duration {
	return time.Duration(d.current().IdleTimeoutMs) * time.Millisecond
}

// Down stops the daemon and forgets the settings it was started with: what is declared
// and the token stay. ran is false when there was nothing to stop.
func Down(ctx context.Context, o Options) (ran bool, err error) {
	if err := supported(); err != nil {
		return false, err
	}
	dir, err := home.Resolve(o.DataDir)
	if err != nil {
		return false, err
	}
	if _, err := os.Stat(dir.String()); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	release, err := dir.LockStart(ctx)
	if err != nil {
		return false, err
	}
	c, err := settle(ctx, dir, defaultStart)
	if err == nil && c != nil {
		if !c.hello.speaks() {
			err = foreign(c.hello)
		} else {
			err = c.Shutdown(ctx)
		}
	}
	if err == nil {
		err = forget(dir)
	}
	return c != nil, errors.Join(err, release())
}
