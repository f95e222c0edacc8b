package conn

import (
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// Options tune a Client; every zero is a default.
type Options struct {
	Logger         *slog.Logger  // nil: discarded
	KeepAlive      time.Duration // after so long without a word from the broker a PING is sent, and another; the third time the connection ends; 0: 5 s
	DialTimeout    time.Duration // of one connection with its handshakes; 0: 10 s
	RequestTimeout time.Duration // of one answer, where the context has no earlier deadline; 0: 30 s
	Patience       time.Duration // how long Connect and Partitions go on over brokers that do not answer; 0: 2 min
	Trouble        func(error)   // told, besides the log and as seldom, why no broker can be reached for seconds; nil: only logged
	Credentials    Credentials   // instead of the broker's settings (OAuth2, for instance); nil: those
}

// The default patience is several times the 30 s after which a cluster notices, by
// default, that a broker is gone.
const (
	defaultKeepAlive      = 5 * time.Second
	defaultDialTimeout    = 10 * time.Second
	defaultRequestTimeout = 30 * time.Second
	defaultPatience       = 2 * time.Minute
)

func (o Options) defaulted() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&o.KeepAlive, defaultKeepAlive},
		{&o.DialTimeout, defaultDialTimeout},
		{&o.RequestTimeout, defaultRequestTimeout},
		{&o.Patience, defaultPatience},
	} {
		if *d.value <= 0 {
			*d.value = d.standard
		}
	}
	return o
}

// Schemes of service URLs, and the ports they mean where none is given.
const (
	plainScheme  = "pulsar://"
	secureScheme = "pulsar+ssl://"
	plainPort    = "6650"
	securePort   = "6651"
)

// service is a parsed service URL.
type service struct {
	hosts  []string // host:port, at least one
	secure bool
}

// parseService reads scheme://host[:port][,host[:port]…][/].
func parseService(url string) (service, error) {
	s := service{}
	rest, port := "", plainPort
	switch {
	case strings.HasPrefix(url, plainScheme):
		rest = url[len(plainScheme):]
	case strings.HasPrefix(url, secureScheme):
		rest, s.secure, port = url[len(secureScheme):], true, securePort
	default:
		return service{}, setting("service_url", "must begin with pulsar:// or pulsar+ssl://")
	}
	for host := range strings.SplitSeq(strings.TrimSuffix(rest, "/"), ",") {
		address, err := parseHost(host, port)
		if err != nil {
			return service{}, err
		}
		s.hosts = append(s.hosts, address)
	}
	return s, nil
}

func parseHost(host, port string) (string, error) {
	if strings.ContainsAny(host, "@/?# ") {
		return "", setting("service_url", "is a list of host:port, without user, path or query")
	}
	name, given, err := net.SplitHostPort(host)
	if err != nil {
		name, given = strings.Trim(host, "[]"), port
	}
	if name == "" || given == "" || strings.Contains(name, ":") != strings.HasPrefix(host, "[") {
		return "", setting("service_url", "%q is no host:port", host)
	}
	return net.JoinHostPort(name, given), nil
}

// checkBroker refuses settings that this package cannot honour or that contradict.
func checkBroker(b wire.Broker, o Options) error {
	switch {
	case b.Kind != "" && b.Kind != "pulsar":
		return setting("kind", "%q is no Pulsar", b.Kind)
	case b.OAuth2 != nil && o.Credentials == nil:
		return setting("oauth2", "needs the compatible data path")
	case b.User != "" || b.Password != "":
		return setting("user", "a Pulsar takes token, token_file or a certificate")
	case b.Token != "" && b.TokenFile != "":
		return setting("token", "give token or token_file, not both")
	case (b.CertFile == "") != (b.KeyFile == ""):
		return setting("cert_file", "cert_file and key_file go together")
	default:
		return nil
	}
}
