#!/usr/bin/env bash
# Writes the provider's reference documentation from its schema, its examples and its
# templates, and the table of honoured settings. Needs neither a registry nor Terraform: the provider tells its schema itself.
set -euo pipefail
cd "$(dirname "$0")/.."

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
go run ./provider/schemajson >"$tmp/schema.json"
go tool -modfile=internal/tools/go.mod tfplugindocs generate --provider-name functionmesh \
  --rendered-provider-name "Function Mesh" --providers-schema "$tmp/schema.json"
go tool -modfile=internal/tools/go.mod tfplugindocs validate --provider-name functionmesh --providers-schema "$tmp/schema.json" \
  --allowed-resource-subcategories 'Mesh,Functions,Connectors,Topics' --allowed-guide-subcategories 'Guides'

# The table of honoured settings has a page of its own.
go run ./provider/settingsdoc >docs/settings.md
