package connection

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// keyBytes is how much of the digest makes a key: enough that nobody meets another.
const keyBytes = 12

// Connection is how to reach one Pulsar, and who we are there. At most one of Token,
// TokenFile and OAuth2 is set. Files are absolute paths of this machine and are read
// anew whenever something connects.
type Connection struct {
	ServiceURL   string       `json:"service_url"`             // pulsar://host:port,host:port or pulsar+ssl://…
	AdminURL     string       `json:"admin_url,omitempty"`     // http://… or https://…
	TokenFile    string       `json:"token_file,omitempty"`    // a reference, so not secret
	CAFile       string       `json:"ca_file,omitempty"`       // "": the system's authorities
	CertFile     string       `json:"cert_file,omitempty"`     // with KeyFile: mutual TLS
	KeyFile      string       `json:"key_file,omitempty"`      //
	Insecure     bool         `json:"insecure,omitempty"`      // any server certificate is taken
	AnyHostname  bool         `json:"any_hostname,omitempty"`  // the certificate may be another host's
	ListenerName string       `json:"listener_name,omitempty"` // which of the brokers' addresses
	OAuth2       *wire.OAuth2 `json:"oauth2,omitempty"`        //
	ByValue      bool         `json:"by_value,omitempty"`      // a token was handed over by value
	Role         string       `json:"role,omitempty"`          // whom such a token names, where it tells
	Token        spec.Secret  `json:"-"`                       // the value: never in a key, a listing or an error
}

// normal is the connection in one spelling.
func (c Connection) normal() Connection {
	c.ServiceURL = strings.TrimSuffix(strings.TrimSpace(c.ServiceURL), "/")
	c.AdminURL = strings.TrimSuffix(strings.TrimSpace(c.AdminURL), "/")
	if !c.Token.IsZero() {
		c.ByValue, c.Role = true, subject(c.Token)
	}
	return c
}

// Key is the digest of everything but the token. A token by value counts with the role
// that it names, so that two roles at one address are two connections.
func (c Connection) Key() string {
	text, _ := json.Marshal(c.normal()) // strings and booleans always marshal
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:keyBytes])
}

// subject is the role of a JSON web token; "" for any other token. Nothing is verified:
// it only keeps roles apart.
func subject(token spec.Secret) string {
	parts := strings.Split(strings.TrimPrefix(strings.TrimSpace(token.Reveal()), "token:"), ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	var claims struct {
		Subject string `json:"sub"`
	}
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	return claims.Subject
}

// Problem is one thing that is wrong with a connection. Field is the attribute's name,
// with a dot below tls and oauth2. The text names no secret.
type Problem struct {
	Field, Message, Hint string
}

// Check tells everything that is wrong with a connection, without looking at any file.
func (c Connection) Check() []Problem {
	var all []Problem
	add := func(field, message, hint string) { all = append(all, Problem{field, message, hint}) }
	if wrong := checkService(c.ServiceURL); wrong != "" {
		add("service_url", wrong, "Write it as pulsar://host:6650 or pulsar+ssl://host:6651.")
	}
	if wrong := checkAdmin(c.AdminURL); c.AdminURL != "" && wrong != "" {
		add("admin_url", wrong, "Write it as http://host:8080 or https://host:8443.")
	}
	if c.ways() > 1 {
		add("token_file", "There are several ways to authenticate.", "Use one of token, token_file and oauth2.")
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		add("tls.cert_file", "A client certificate needs both its file and its key's.", "Set cert_file and key_file.")
	}
	for _, f := range slices.DeleteFunc(c.files(), named.rooted) {
		add(f.field, fmt.Sprintf("%q is no absolute path.", f.path), "Name the file from the root.")
	}
	if c.halfOAuth2() {
		add("oauth2", "It needs issuer_url and key_file.", "Set both.")
	}
	return all
}

func (c Connection) halfOAuth2() bool {
	return c.OAuth2 != nil && (c.OAuth2.IssuerURL == "" || c.OAuth2.KeyFile == "")
}

// ways counts the ways to authenticate.
func (c Connection) ways() int {
	n := 0
	for _, set := range []bool{!c.Token.IsZero() || c.ByValue, c.TokenFile != "", c.OAuth2 != nil} {
		if set {
			n++
		}
	}
	return n
}

type named struct{ field, path string }

func (n named) rooted() bool { return n.path == "" || filepath.IsAbs(n.path) }

// files are the files that a connection refers to, by attribute.
func (c Connection) files() []named {
	all := []named{{"token_file", c.TokenFile}, {"tls.ca_file", c.CAFile}, {"tls.cert_file", c.CertFile}, {"tls.key_file", c.KeyFile}}
	if c.OAuth2 != nil {
		all = append(all, named{"oauth2.key_file", c.OAuth2.KeyFile})
	}
	return all
}

const (
	noService = "It is no address of a Pulsar."
	noAdmin   = "It is no address of a REST API."
	hasUser   = "It holds a user, which would be shown: credentials belong into token_file."
)

// checkService returns what is wrong with the address of brokers, "" for nothing.
func checkService(text string) string {
	scheme, hosts, ok := strings.Cut(text, "://")
	if !ok || scheme != "pulsar" && scheme != "pulsar+ssl" || hosts == "" {
		return noService
	}
	for host := range strings.SplitSeq(hosts, ",") {
		u, err := url.Parse(scheme + "://" + host)
		switch {
		case err != nil || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "":
			return noService
		case u.User != nil:
			return hasUser
		}
	}
	return ""
}

func checkAdmin(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return noAdmin
	case u.User != nil:
		return hasUser
	}
	return ""
}

// Broker is the connection as an instance gets it, without a token that was handed over
// by value: whoever keeps that in a file names the file instead.
func (c Connection) Broker() wire.Broker {
	return wire.Broker{
		Kind: wire.KindPulsar, URL: c.ServiceURL, AdminURL: c.AdminURL, TokenFile: c.TokenFile,
		CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile, Insecure: c.Insecure, AnyHostname: c.AnyHostname,
		ListenerName: c.ListenerName, OAuth2: c.OAuth2,
	}
}
