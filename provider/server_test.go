package provider_test

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/functionmesh/terraform-provider-functionmesh/provider"
)

func newServer(t *testing.T, open provider.Opener) tfprotov6.ProviderServer {
	t.Helper()
	server, err := providerserver.NewProtocol6WithError(provider.NewWith("test", open)())()
	if err != nil {
		t.Fatal(err)
	}
	return server
}
