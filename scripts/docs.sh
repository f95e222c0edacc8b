#!/usr/bin/env bash
# Writes the provider's reference documentation from its schema, its examples and its
# templates. Works without a registry: the schema comes from the provider built here,
# through terraform or tofu, whichever is there.
set -euo pipefail
cd "$(dirname "$0")/.."
terraform=${TERRAFORM:-$(command -v terraform || command -v tofu || echo "$PWD/bin/tofu")}
[ -x "$terraform" ] || { echo "generating the documentation needs terraform or tofu on PATH: see make tofu" >&2; exit 1; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for host in registry.terraform.io registry.opentofu.org; do
  plugin=$tmp/mirror/$host/hashicorp/functionmesh/0.0.1/$(go env GOOS)_$(go env GOARCH)
  mkdir -p "$plugin"
  [ -e "$tmp/provider" ] || CGO_ENABLED=0 go build -o "$tmp/provider" .
  ln -s "$tmp/provider" "$plugin/terraform-provider-functionmesh_v0.0.1"
done
printf 'provider_installation {\n  filesystem_mirror {\n    path = "%s"\n  }\n}\n' "$tmp/mirror" >"$tmp/cli.tfrc"
mkdir "$tmp/config"
printf 'terraform {\n  required_providers {\n    functionmesh = { source = "hashicorp/functionmesh" }\n  }\n}\n' >"$tmp/config/main.tf"
export TF_CLI_CONFIG_FILE=$tmp/cli.tfrc CHECKPOINT_DISABLE=1
"$terraform" -chdir="$tmp/config" init -input=false >"$tmp/init.log" || { cat "$tmp/init.log" >&2; exit 1; }
# tfplugindocs knows the first host only.
"$terraform" -chdir="$tmp/config" providers schema -json | sed 's/registry\.opentofu\.org/registry.terraform.io/g' >"$tmp/schema.json"
go tool -modfile=internal/tools/go.mod tfplugindocs generate --provider-name functionmesh \
  --rendered-provider-name "Function Mesh" --providers-schema "$tmp/schema.json"
go tool -modfile=internal/tools/go.mod tfplugindocs validate --provider-name functionmesh --providers-schema "$tmp/schema.json" \
  --allowed-resource-subcategories 'Mesh,Functions,Connectors,Topics' --allowed-guide-subcategories 'Guides'
