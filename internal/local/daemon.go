package local

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/gateway"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/broker"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/code"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/connection"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/home"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/platform"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/process"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/store"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/supervisor"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

const (
	tokenFile    = "token"
	tidyEvery    = 5 * time.Second
	sweepWithin  = 30 * time.Second
	goodbye      = 5 * time.Second // for requests under way when the daemon ends
	headerWithin = 10 * time.Second
)

// daemon is everything that lives as long as Serve.
type daemon struct {
	options  Options
	log      *slog.Logger
	dir      home.Dir
	lock     *home.Lock
	binary   home.Binary
	store    *store.Store
	broker   *broker.Broker
	platform *platform.Platform
	hello    Handshake

	asked    sync.Mutex
	settings Settings // options given, or else remembered

	quit     context.CancelFunc
	requests atomic.Int64 // under way
	lastMs   atomic.Int64 // when the last one ended

	closers []func() error // in the order of their making
}

// Serve is the daemon. It returns when ctx ends or a client asks it to, with all
// instances drained.
func Serve(ctx context.Context, o Options, log *slog.Logger) error {
	if err := supported(); err != nil {
		return err
	}
	dir, err := home.Resolve(o.DataDir)
	if err != nil {
		return err
	}
	if err := dir.Make(); err != nil {
		return err
	}
	lock, held, err := dir.LockDaemon()
	if err != nil {
		return err
	}
	if !held {
		return engine.New(engine.Conflict, fmt.Errorf("a local platform runs in %s already", dir))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := &daemon{options: o, log: log, dir: dir, lock: lock, quit: cancel}
	d.closers = append(d.closers, lock.Release)
	remembered, err := readSettings(dir)
	d.settings = remembered.with(o)
	if err == nil {
		err = d.open(ctx)
	}
	if err == nil {
		err = d.serve(ctx)
	}
	return errors.Join(err, d.close())
}

func (d *daemon) close() error {
	var failed error
	for _, v := range slices.Backward(d.closers) {
		failed = errors.Join(failed, v())
	}
	return failed
}

// open brings up what serves requests, in the order in which one needs the other.
func (d *daemon) open(ctx context.Context) (err error) {
	if d.binary, err = d.dir.Find(ctx, d.options.Binary); err != nil {
		return err
	}
	if d.binary, err = d.dir.Adopt(d.binary); err != nil {
		return err
	}
	if err := d.dir.Forget(d.binary); err != nil {
		d.log.Warn("remove old binaries", "error", err)
	}
	if d.store, err = store.Open(d.dir.String()); err != nil {
		return err
	}
	d.closers = append(d.closers, d.store.Close)
	if err := d.openBroker(ctx); err != nil {
		return err
	}
	return d.openPlatform(ctx)
}

func (d *daemon) openBroker(ctx context.Context) error {
	known, ok, err := d.store.Broker()
	if err != nil {
		return err
	}
	if !ok {
		known = store.Broker{User: "functionmesh", Password: rand.Text() + rand.Text()}
	}
	d.broker, err = broker.Start(ctx, broker.Options{
		Dir: d.dir.Path("broker"), Port: known.Port, User: known.User, Password: spec.NewSecret(known.Password),
		Platform: d.store.ID(), Log: d.log,
	})
	if err != nil {
		return err
	}
	d.closers = append(d.closers, func() error { d.broker.Close(); return nil })
	if port := d.broker.Port(); port != known.Port {
		known.Port = port
		return d.store.PutBroker(known)
	}
	return nil
}

func (d *daemon) openPlatform(ctx context.Context) error {
	sockets, err := d.dir.Runtime()
	if err != nil {
		return err
	}
	d.closers = append(d.closers, func() error { _ = os.Remove(sockets); return nil }) // unless somebody uses it
	files := d.dir.Path("files")
	if err := os.MkdirAll(files, 0o700); err != nil {
		return err
	}
	d.platform = &platform.Platform{
		Store: d.store, Broker: d.broker, BaseDir: files, RunDir: d.dir.Path("runs"), Log: d.log,
		Code:        code.New(d.dir.Path("code"), d.store.Packages),
		Connections: connection.NewStore(d.dir.Path("connections")), Clusters: d.options.Clusters,
	}
	d.platform.Supervisor = supervisor.New(supervisor.Options{
		Binary: d.binary.Path, Dir: d.dir.Path("instances"), Sockets: sockets, Secrets: d.platform.Secrets, Log: d.log,
	})
	d.closers = append(d.closers, func() error { d.platform.Supervisor.Close(); return nil })
	sweeping, cancel := context.WithTimeout(ctx, sweepWithin)
	defer cancel()
	if err := d.platform.Supervisor.Sweep(sweeping); err != nil {
		return err
	}
	stale, err := filepath.Glob(filepath.Join(sockets, "*.sock"))
	if err != nil {
		return err
	}
	for _, s := range stale {
		if err := os.Remove(s); err != nil {
			return err
		}
	}
	d.hello = Handshake{
		ID: d.store.ID(), Version: d.binary.Version, Protocol: Protocol, MinProtocol: MinProtocol, Digest: d.binary.Digest,
		Release: d.binary.Version != DevVersion, PID: os.Getpid(), DataDir: d.dir.String(), StartedAtMs: time.Now().UnixMilli(),
	}
	return nil
}

// serve answers requests until ctx ends.
func (d *daemon) serve(ctx context.Context) error {
	var work sync.WaitGroup
	defer work.Wait()
	socket, err := d.listenUnix(ctx)
	if err != nil {
		return err
	}
	listeners, servers := []net.Listener{socket}, []*http.Server{d.server(ctx, d.handler())}
	if d.settings.Listen != "" {
		tcp, token, err := d.listenTCP(ctx)
		if err != nil {
			return errors.Join(err, socket.Close())
		}
		listeners, servers = append(listeners, tcp), append(servers, d.server(ctx, d.gateway(true, token)))
	}
	failed := make(chan error, len(servers))
	for i, s := range servers { // not before all listen: the handshake says where
		work.Go(func() { failed <- s.Serve(listeners[i]) })
	}
	if err := errors.Join(d.settings.write(d.dir), d.publish(socket.Addr().String())); err != nil {
		d.quit()
		return errors.Join(err, d.hangUp(servers))
	}
	work.Go(func() { d.background(ctx) })
	d.log.Info("the local platform is up", "version", d.hello.Version, "data_dir", d.dir.String(), "pid", d.hello.PID, "listen", d.hello.Listen)
	select {
	case <-ctx.Done():
	case err = <-failed:
		d.quit()
	}
	d.log.Info("the local platform is stopping")
	if d.lock.Lost() { // record and socket are somebody else's by now
		socket.(*net.UnixListener).SetUnlinkOnClose(false) //nolint:forcetypeassert // of the network "unix"
		return errors.Join(err, d.hangUp(servers))
	}
	return errors.Join(err, d.dir.RemoveRecord(), d.hangUp(servers))
}

func (d *daemon) hangUp(servers []*http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	var failed error
	for _, s := range servers {
		if s.Shutdown(ctx) != nil {
			failed = errors.Join(failed, s.Close())
		}
	}
	return failed
}

func (d *daemon) server(ctx context.Context, h http.Handler) *http.Server {
	return &http.Server{
		Handler: d.counted(h), ReadHeaderTimeout: headerWithin,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(d.log.Handler(), slog.LevelWarn),
	}
}

func (d *daemon) counted(h http.Handler) http.Handler {
	d.lastMs.Store(time.Now().UnixMilli())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.requests.Add(1)
		defer func() {
			d.lastMs.Store(time.Now().UnixMilli())
			d.requests.Add(-1)
		}()
		h.ServeHTTP(w, r)
	})
}

func (d *daemon) listenUnix(ctx context.Context) (net.Listener, error) {
	sockets, err := d.dir.Runtime()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(sockets, "daemon.sock")
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, engine.New(engine.Unavailable, fmt.Errorf("socket of the local platform: %w", err))
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (d *daemon) listenTCP(ctx context.Context) (net.Listener, spec.Secret, error) {
	if err := d.loopback(); err != nil {
		return nil, spec.Secret{}, err
	}
	token, err := d.token()
	if err != nil {
		return nil, token, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", d.settings.Listen)
	if err != nil {
		return nil, token, &engine.Error{
			Class: engine.Invalid, Path: "listen", Hint: "Choose another address, end what uses it, or forget the address with `functionmesh local down`",
			Err: fmt.Errorf("the REST API cannot be served there: %w", err),
		}
	}
	d.hello.Listen = l.Addr().String()
	return l, token, nil
}

func (d *daemon) loopback() error {
	host, _, err := net.SplitHostPort(d.settings.Listen)
	if err != nil {
		return &engine.Error{Class: engine.Invalid, Path: "listen", Hint: "Write it as 127.0.0.1:8080", Err: err}
	}
	if ip := net.ParseIP(host); d.settings.ListenAnywhere || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return &engine.Error{
		Class: engine.Invalid, Path: "listen", Hint: "Use 127.0.0.1, or allow it with listen-anywhere",
		Err: fmt.Errorf("%s can be reached from other machines", d.settings.Listen),
	}
}

// token is the bearer token of the TCP listener, made on first use.
func (d *daemon) token() (spec.Secret, error) {
	file := d.dir.Path(tokenFile)
	if !d.options.Token.IsZero() {
		return d.options.Token, home.WriteFile(file, []byte(d.options.Token.Reveal()))
	}
	text, err := os.ReadFile(file)
	if t := strings.TrimSpace(string(text)); err == nil && t != "" {
		return spec.NewSecret(t), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return spec.Secret{}, err
	}
	made := rand.Text() + rand.Text()
	return spec.NewSecret(made), home.WriteFile(file, []byte(made))
}

// publish makes the daemon known to those who look for one.
func (d *daemon) publish(socket string) error {
	identity, _ := process.Identity(os.Getpid())
	return d.dir.WriteRecord(home.Record{
		PID: os.Getpid(), Identity: identity, Socket: socket, Version: d.hello.Version, ID: d.hello.ID, Digest: d.hello.Digest,
	})
}

// gateway serves Pulsar's REST API.
func (d *daemon) gateway(remote bool, token spec.Secret) http.Handler {
	return gateway.New(gateway.Options{
		Clients: d.platform.Clients(remote), Code: d.platform.Code, Packages: d.platform.Code.Packages(), Topics: d.platform,
		PlatformID: d.store.ID, Remote: remote, Token: token,
	})
}

// background launches what is declared and then keeps house until ctx ends.
func (d *daemon) background(ctx context.Context) {
	if err := d.platform.Restore(ctx); err != nil {
		d.log.Error("restore", "error", err)
	}
	var failing bool
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(d.nap()):
		}
		if d.lock.Lost() {
			d.log.Error("the data directory was removed or replaced: ending", "data_dir", d.dir.String())
			d.quit()
			return
		}
		if d.idle() {
			d.log.Info("nothing is declared and nobody asks: ending", "idle_timeout", d.idleTimeout())
			d.quit()
			return
		}
		if time.Since(last) < tidyEvery {
			continue
		}
		last = time.Now()
		err := d.platform.Tidy(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			d.log.Error("tidy", "error", err)
		}
		failing = err != nil
	}
}

func (d *daemon) nap() time.Duration {
	if limit := d.idleTimeout(); limit > 0 {
		return min(tidyEvery, max(limit/4, 10*time.Millisecond))
	}
	return tidyEvery
}

func (d *daemon) idle() bool {
	limit := d.idleTimeout()
	if limit <= 0 || d.requests.Load() > 0 {
		return false
	}
	if time.Since(time.UnixMilli(d.lastMs.Load())) < limit {
		return false
	}
	n, err := d.platform.Declared()
	return err == nil && n == 0
}
