package gateway

import (
	"context"
	"io"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Options are what a gateway serves and how far it trusts who calls.
type Options struct {
	Clients  catalog.Clients
	Code     CodeStore
	Packages PackageStore   // nil: packages are refused
	Topics   TopicInspector // nil: statistics and subscriptions are refused
	// PlatformID names the platform in every answer; called per request.
	PlatformID func() string
	// Cluster is the one cluster name that is listed; empty: the platform's id.
	Cluster string
	// Platform selects the settings that are honoured; what it cannot honour is
	// refused by path. Empty: the clients decide.
	Platform spec.Platform

	// Remote says that requests come over TCP: the bearer Token is required, and
	// code by file: is refused. One handler per listener. Clients fetch code by other
	// URLs themselves, and must refuse private addresses to remote callers.
	Remote bool
	Token  spec.Secret

	// MaxUpload bounds a request's body in bytes; 0: 512 MiB. The server around the
	// handler sets the timeouts: a header in 10 s, and no limit on a body that makes
	// progress.
	MaxUpload int64
}

// TopicInspector looks into topics.
type TopicInspector interface {
	// TopicStats reads what a topic holds; NotFound when there is none.
	TopicStats(ctx context.Context, topic spec.Topic) (TopicStats, error)
	// DeleteSubscription removes one cursor; NotFound when there is none, Conflict
	// when it is in use and force is not set.
	DeleteSubscription(ctx context.Context, topic spec.Topic, name string, force bool) error
}

// TopicStats is what a topic holds.
type TopicStats struct {
	Messages      int64 // kept now
	Bytes         int64 // of them
	In            int64 // ever published
	Subscriptions []SubscriptionStats
}

// SubscriptionStats is one cursor of a topic.
type SubscriptionStats struct {
	Name    string
	Mode    string // Pulsar's word: Shared, Failover
	Backlog int64  // messages not acknowledged
}

// CodeStore keeps user code by content.
type CodeStore interface {
	// Put stores what r gives and returns the file that instances read and the hex
	// SHA-256 of the content. Name is the caller's file name; its extension is kept.
	Put(ctx context.Context, name string, r io.Reader) (file, sha256 string, err error)
	// Open reads the content with that digest back; NotFound when there is none.
	Open(ctx context.Context, sha256 string) (io.ReadCloser, error)
}

// PackageName names one version of a package: type://tenant/namespace/name@version.
type PackageName struct {
	Type      string // function, source, sink
	Tenant    string
	Namespace string
	Name      string
	Version   string
}

// String is the package's URL.
func (p PackageName) String() string {
	s := p.Type + "://" + p.Tenant + "/" + p.Namespace
	if p.Name == "" {
		return s
	}
	s += "/" + p.Name
	if p.Version == "" {
		return s
	}
	return s + "@" + p.Version
}

// PackageMetadata describes one version of a package, in Pulsar's words. Times are
// milliseconds since the epoch.
type PackageMetadata struct {
	Description      string            `json:"description,omitempty"`
	Contact          string            `json:"contact,omitempty"`
	FileName         string            `json:"fileName,omitempty"`
	CreateTime       int64             `json:"createTime,omitempty"`
	ModificationTime int64             `json:"modificationTime,omitempty"`
	Properties       map[string]string `json:"properties,omitempty"`
}

// PackageStore keeps packages.
type PackageStore interface {
	// Put stores a version: strict, Exists when it is there already. A nil r changes
	// the metadata of an existing version only.
	Put(ctx context.Context, name PackageName, meta PackageMetadata, r io.Reader) error
	// Open reads a version's content and metadata; NotFound when there is none.
	Open(ctx context.Context, name PackageName) (io.ReadCloser, PackageMetadata, error)
	// Delete removes a version; NotFound when there is none.
	Delete(ctx context.Context, name PackageName) error
	// List returns every version below a prefix: a type, tenant and namespace, and a
	// name where it is not empty; in order of creation.
	List(ctx context.Context, prefix PackageName) ([]PackageName, error)
}
