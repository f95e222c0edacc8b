package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/semver"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/home"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/process"
)

const (
	logName        = "daemon.log"
	logKept        = 10 << 20
	defaultStart   = 30 * time.Second
	handshakeLimit = 3 * time.Second
	pollEvery      = 20 * time.Millisecond
	quotedLines    = 5
)

// errNotRunning is wrapped by the Unavailable error of Dial when there is no daemon.
var errNotRunning = errors.New("the local platform is not running")

func supported() error {
	if process.Supported {
		return nil
	}
	return &engine.Error{
		Class: engine.Invalid, Path: "local", Hint: "Use Linux or macOS, or configure pulsar or kubernetes",
		Err: errors.New("the local platform does not run on this operating system"),
	}
}

// Dial returns a client of a running daemon, or an Unavailable error.
func Dial(ctx context.Context, o Options) (*Client, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	dir, err := home.Resolve(o.DataDir)
	if err != nil {
		return nil, err
	}
	c, err := dial(ctx, dir)
	if err != nil {
		return nil, err
	}
	if !c.hello.speaks() {
		return nil, foreign(c.hello)
	}
	return c, nil
}

func dial(ctx context.Context, dir home.Dir) (*Client, error) {
	running, err := dir.Running()
	if err != nil {
		return nil, err
	}
	r, ok, err := dir.ReadRecord()
	if err != nil {
		return nil, err
	}
	if !running {
		return nil, &engine.Error{
			Class: engine.Unavailable, Hint: "Start it with `functionmesh local up`",
			Err: fmt.Errorf("%w in %s", errNotRunning, dir),
		}
	}
	if !ok {
		return nil, engine.New(engine.Unavailable, fmt.Errorf("the local platform in %s is starting or stopping", dir))
	}
	c := newClient(dir, r)
	asked := time.Now()
	limited, cancel := context.WithTimeout(ctx, handshakeLimit)
	defer cancel()
	if c.hello, err = c.Refresh(limited); err == nil {
		return c, nil
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, (&silence{socket: r.Socket, pid: r.PID, since: asked}).class(dir)
	}
	return nil, fmt.Errorf("process %d: %w", r.PID, err)
}

func foreign(h Handshake) error {
	return &engine.Error{
		Class: engine.Invalid, Hint: "Use that version, or another data directory",
		Err: fmt.Errorf("the running local platform is version %s and speaks protocols %d to %d, this build %d to %d",
			h.Version, h.MinProtocol, h.Protocol, MinProtocol, Protocol),
	}
}

// verdict is what to do about a running daemon.
type verdict int

const (
	useIt verdict = iota
	replaceIt
	refuseIt
)

// judge compares a running daemon with the binary that we would start. A newer release
// replaces an older daemon, never the reverse; of one version only a development build
// replaces another build.
func judge(h Handshake, ours home.Binary) verdict {
	if h.MinProtocol > Protocol {
		return refuseIt
	}
	if newer(ours, h) {
		return replaceIt
	}
	if h.Protocol < MinProtocol {
		return refuseIt
	}
	return useIt
}

func newer(ours home.Binary, h Handshake) bool {
	mine, theirs := "v"+ours.Version, "v"+h.Version
	switch {
	case ours.Digest == h.Digest:
		return false
	case !semver.IsValid(mine):
		return true // a development build
	case !semver.IsValid(theirs):
		return false // a release leaves a development build alone
	default:
		return semver.Compare(mine, theirs) > 0
	}
}

// Ensure returns a client of the daemon, starting or replacing the daemon when needed.
func Ensure(ctx context.Context, o Options) (*Client, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	dir, err := home.Resolve(o.DataDir)
	if err != nil {
		return nil, err
	}
	if err := dir.Make(); err != nil {
		return nil, err
	}
	binary, err := dir.Find(ctx, o.Binary)
	if err != nil {
		return nil, err
	}
	c, err := dial(ctx, dir)
	if err == nil {
		c, err = c.judged(ctx, binary, o)
	} else if !isStopped(err) {
		err = nil // it is not there, or may yet answer
	}
	if c != nil || err != nil {
		return c, err
	}
	o.StartTimeout = cmp.Or(o.StartTimeout, defaultStart)
	bounded, cancel := context.WithTimeout(ctx, o.StartTimeout)
	defer cancel()
	release, err := dir.LockStart(bounded)
	if err != nil {
		return nil, err
	}
	c, err = startLocked(ctx, dir, binary, o)
	return c, errors.Join(err, release())
}

// judged is the client where its daemon serves; neither it nor an error where the daemon
// is to be replaced.
func (c *Client) judged(ctx context.Context, binary home.Binary, o Options) (*Client, error) {
	switch judge(c.hello, binary) {
	case useIt:
		return c.use(ctx, o)
	case refuseIt:
		return nil, foreign(c.hello)
	case replaceIt:
	}
	return nil, nil //nolint:nilnil // documented above
}

// startLocked decides again, alone now, and starts or replaces the daemon.
func startLocked(ctx context.Context, dir home.Dir, binary home.Binary, o Options) (*Client, error) {
	c, err := settle(ctx, dir, o.StartTimeout)
	if err != nil {
		return nil, err
	}
	if c != nil {
		if used, err := c.judged(ctx, binary, o); used != nil || err != nil {
			return used, err
		}
		if err := c.Shutdown(ctx); err != nil {
			return nil, fmt.Errorf("replace the local platform of version %s: %w", c.hello.Version, err)
		}
	}
	if binary, err = dir.Adopt(binary); err != nil {
		return nil, err
	}
	if !o.Token.IsZero() {
		if err := home.WriteFile(dir.Path(tokenFile), []byte(o.Token.Reveal())); err != nil {
			return nil, err
		}
	}
	return start(ctx, dir, binary, o)
}

// settle waits until a daemon that holds the directory answers or has gone: nil.
func settle(ctx context.Context, dir home.Dir, within time.Duration) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var first *silence
	for {
		c, err := dial(ctx, dir)
		if silent, ok := errors.AsType[*silence](err); ok {
			if first != nil {
				silent.since = first.since
			}
			first = silent
		}
		switch {
		case err == nil:
			return c, nil
		case errors.Is(err, errNotRunning):
			return nil, nil //nolint:nilnil // there is no daemon, which is an answer
		case engine.ClassOf(err) != engine.Unavailable:
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pollEvery):
		}
	}
}

// start runs the daemon detached from us and waits for its handshake.
func start(ctx context.Context, dir home.Dir, binary home.Binary, o Options) (*Client, error) {
	if err := process.KeepDescriptorsPrivate(); err != nil {
		return nil, err
	}
	log, from, err := openLog(dir.Path(logName))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := []string{"local", "up", "--foreground", "--data-dir", dir.String()}
	if o.Listen != "" {
		args = append(args, "--listen", o.Listen)
	}
	if o.ListenAnywhere {
		args = append(args, "--listen-anywhere")
	}
	if o.IdleTimeout != 0 {
		args = append(args, "--idle-timeout", o.IdleTimeout.String())
	}
	cmd := exec.Command(binary.Path, args...) //nolint:noctx // the daemon outlives every context of ours
	cmd.Dir, cmd.SysProcAttr = dir.String(), process.Detached()
	cmd.Stdout, cmd.Stderr = log, log // stdin is the null device
	cmd.Env = append(environment(os.Environ()), EnvDataDir+"="+dir.String(), EnvBinary+"="+binary.Path)
	if err := cmd.Start(); err != nil {
		return nil, engine.New(engine.Unavailable, fmt.Errorf("start the local platform: %w", err))
	}
	pid := cmd.Process.Pid
	if err := cmd.Process.Release(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.StartTimeout)
	defer cancel()
	return await(ctx, dir, pid, func() string { return lastWords(log.Name(), from) })
}

// await polls until the daemon answers, ends or takes too long.
func await(ctx context.Context, dir home.Dir, pid int, lastWords func() string) (*Client, error) {
	hint := "Its log is " + dir.Path(logName)
	for {
		c, err := dial(ctx, dir)
		if err == nil {
			return c, nil
		}
		if process.Exited(pid) {
			return nil, &engine.Error{
				Class: engine.Unavailable, Hint: hint,
				Err: fmt.Errorf("the local platform did not start: %s", lastWords()),
			}
		}
		select {
		case <-ctx.Done():
			return nil, &engine.Error{
				Class: engine.Unavailable, Hint: hint,
				Err: fmt.Errorf("the local platform (process %d) does not answer: %w", pid, err),
			}
		case <-time.After(pollEvery):
		}
	}
}

// openLog appends to the daemon's log; a long one is put aside first.
func openLog(path string) (f *os.File, from int64, err error) {
	if info, err := os.Stat(path); err == nil && info.Size() > logKept {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, 0, err
		}
	}
	f, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, 0, engine.New(engine.Unavailable, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// lastWords are the last lines that the daemon wrote after offset from.
func lastWords(log string, from int64) string {
	f, err := os.Open(log)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, from, 1<<20))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-quotedLines):], "; ")
}

// environment is what the daemon, its instances and their code inherit of the one who
// happened to start it: how to find programs and languages, not that one's secrets.
func environment(all []string) []string {
	var kept []string
	for _, kv := range all {
		name, _, _ := strings.Cut(kv, "=")
		for _, pattern := range []string{
			"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "PYTHON*", "VIRTUAL_ENV",
			"LD_LIBRARY_PATH", "DYLD_*", "SSL_CERT_*", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
			"XDG_*", "GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GOTRACEBACK", "GOCOVERDIR", "GORACE", "FUNCTIONMESH_*",
		} {
			if ok, err := filepath.Match(pattern, name); err == nil && ok {
				kept = append(kept, kv)
				break
			}
		}
	}
	return kept
}

// Reset removes everything the platform keeps: what is declared, messages, secrets,
// code, logs. A running daemon is a Conflict unless o.Force, which stops it first.
func Reset(ctx context.Context, o Options) error {
	if err := supported(); err != nil {
		return err
	}
	dir, err := home.Resolve(o.DataDir)
	if err != nil {
		return err
	}
	if _, err := os.Stat(dir.String()); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	release, err := dir.LockStart(ctx)
	if err != nil {
		return err
	}
	return errors.Join(resetLocked(ctx, dir, o.Force), release())
}

func resetLocked(ctx context.Context, dir home.Dir, force bool) error {
	running, err := dir.Running()
	if err != nil {
		return err
	}
	if running {
		if !force {
			return &engine.Error{
				Class: engine.Conflict, Hint: "Stop it with `functionmesh local down`, or use force",
				Err: fmt.Errorf("the local platform in %s is running", dir),
			}
		}
		c, err := settle(ctx, dir, defaultStart)
		if err == nil && c != nil {
			err = c.Shutdown(ctx)
		}
		if err != nil {
			return err
		}
	}
	return dir.Empty()
}
