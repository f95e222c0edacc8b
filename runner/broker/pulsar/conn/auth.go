package conn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// Methods of authentication, as brokers name them.
const (
	methodNone  = ""
	methodToken = "token"
	methodTLS   = "tls"
)

// secrets reads what files hold now; nothing of it is kept.
type secrets struct {
	broker wire.Broker
	other  Credentials
}

// Credentials are what CONNECT and AUTH_RESPONSE carry: the method as brokers name it,
// and its data. They are asked for at every connection and challenge. An error is a wrong
// setting unless it is ErrIssuer.
type Credentials func() (method string, data []byte, err error)

func (s secrets) credentials() (method string, data []byte, err error) {
	switch {
	case s.other != nil:
		return s.other()
	case s.broker.Token != "":
		return methodToken, []byte(s.broker.Token), nil
	case s.broker.TokenFile != "":
		content, err := os.ReadFile(s.broker.TokenFile)
		if err != nil {
			return "", nil, fmt.Errorf("token_file: %w", err)
		}
		token := strings.TrimSpace(string(content))
		if token == "" {
			return "", nil, fmt.Errorf("token_file %s is empty", s.broker.TokenFile)
		}
		return methodToken, []byte(token), nil
	case s.broker.CertFile != "":
		return methodTLS, nil, nil
	default:
		return methodNone, nil, nil
	}
}

// tlsConfig is for one handshake with a host: authorities and certificate are read now.
func (s secrets) tlsConfig(host string) (*tls.Config, error) {
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if s.broker.CAFile != "" {
		pem, err := os.ReadFile(s.broker.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file %s holds no certificate", s.broker.CAFile)
		}
	}
	if s.broker.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(s.broker.CertFile, s.broker.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("cert_file and key_file: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	switch {
	case s.broker.Insecure:
		config.InsecureSkipVerify = true
	case s.broker.AnyHostname:
		config.InsecureSkipVerify = true // the chain is verified below, the name is not
		config.VerifyConnection = verifyChain(config.RootCAs)
	}
	return config, nil
}

// AnyHostTLS is for clients of others that want one configuration for all handshakes and
// know no AnyHostname: the chain of the broker's certificate is verified, its name is
// not, and files are read at each handshake.
func AnyHostTLS(broker wire.Broker) *tls.Config {
	s := secrets{broker: broker}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, //nolint:gosec // the chain is verified below
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			now, err := s.tlsConfig("")
			if err != nil || len(now.Certificates) == 0 {
				return &tls.Certificate{}, err
			}
			return &now.Certificates[0], nil
		},
		VerifyConnection: func(state tls.ConnectionState) error {
			now, err := s.tlsConfig("")
			if err != nil {
				return err
			}
			return verifyChain(now.RootCAs)(state)
		},
	}
}

// verifyChain is the standard verification without the host's name.
func verifyChain(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("the broker shows no certificate")
		}
		options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, c := range state.PeerCertificates[1:] {
			options.Intermediates.AddCert(c)
		}
		_, err := state.PeerCertificates[0].Verify(options)
		return err
	}
}
