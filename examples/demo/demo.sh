#!/usr/bin/env bash
# The first quarter of an hour, as commands: everything this prints after a $ can be
# typed. `make demo` builds what it needs and sets BIN, the folder of the binaries.
# It works in a folder of its own with a data directory of its own, leaves nothing
# running, and fails when a step does not do what it should.
#
# With DEMO_ON=pulsar (`make demo-pulsar`) the streams are on the Pulsar that PULSAR_URL and
# PULSAR_ADMIN_URL name, in a namespace of the demo's own: the provider block differs,
# and the commands say where to look.
set -euo pipefail
: "${DEMO_ON:=embedded}"

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
: "${BIN:=$top/bin}"
terraform=${TERRAFORM:-$(command -v terraform || command -v tofu || true)}
[ -n "$terraform" ] || { echo "neither terraform nor tofu is on PATH: run make demo" >&2; exit 1; }

demo=$(mktemp -d "${TMPDIR:-/tmp}/fmdemo.XXXXXX")
log=$demo/step.log
# On a Pulsar everything is in a namespace that is made here and taken away again.
in= at= namespace=
admin() { # the token goes by a pipe, where no list of processes shows it
  curl -sS -f -X "$1" ${PULSAR_CA_FILE:+--cacert "$PULSAR_CA_FILE"} \
    --config <([ -z "${PULSAR_TOKEN_FILE:-}" ] || printf 'header = "Authorization: Bearer %s"\n' "$(cat "$PULSAR_TOKEN_FILE")") \
    "${PULSAR_ADMIN_URL%/}/admin/v2/namespaces/public/$2"
}
forget() {
  [ -z "$namespace" ] && return
  admin DELETE "$namespace?force=true" >/dev/null 2>&1 || echo "The namespace public/$namespace is left on the Pulsar: remove it with pulsar-admin." >&2
}
trap 'status=$?; functionmesh local reset --force >/dev/null 2>&1 || true; forget; rm -rf "$demo"; exit $status' EXIT
trap 'exit 130' INT TERM

bold=; plain=
if [ -t 1 ]; then bold=$(tput bold 2>/dev/null || true); plain=$(tput sgr0 2>/dev/null || true); fi
TIMEFORMAT='  (%R s)'

say() { printf '\n%s\n' "${bold}$*${plain}"; }
fail() { printf '\nThe demo failed: %s\n' "$*" >&2; exit 1; }

if [ "$DEMO_ON" = pulsar ]; then
  : "${PULSAR_URL:?names no brokers, such as pulsar://localhost:6650}" "${PULSAR_ADMIN_URL:?names no REST API, such as http://localhost:8080}"
  fresh=functionmesh-demo-$$
  admin PUT "$fresh" || fail "the namespace public/$fresh cannot be made on $PULSAR_ADMIN_URL"
  namespace=$fresh
  in=" --namespace $namespace"
  at="$in --pulsar \$PULSAR_URL${PULSAR_TOKEN_FILE:+ --token-file \$PULSAR_TOKEN_FILE}${PULSAR_CA_FILE:+ --ca-file \$PULSAR_CA_FILE}"
  export PULSAR_URL PULSAR_ADMIN_URL
fi

# run EXPECTED-EXIT-CODE 'command': prints the command, runs it, shows and keeps its output.
run() {
  local want=$1 got=0
  printf '\n%s\n' "${bold}\$ $2${plain}"
  time { bash -c "set -o pipefail; $2" >"$log" 2>&1 || got=$?; }
  cat "$log"
  [ "$got" -eq "$want" ] || fail "exit code $got instead of $want"
}
expect() { grep -qF -- "$1" "$log" || fail "\"$1\" was expected in the output"; }

# Terraform finds the provider in a folder instead of a registry, under both of the
# names that Terraform and OpenTofu give it.
platform=$(go env GOOS)_$(go env GOARCH)
for host in registry.terraform.io registry.opentofu.org; do
  plugin=$demo/mirror/$host/functionmesh/functionmesh/0.1.0/$platform
  mkdir -p "$plugin"
  ln -s "$BIN/terraform-provider-functionmesh" "$plugin/terraform-provider-functionmesh_v0.1.0"
done
printf 'provider_installation {\n  filesystem_mirror {\n    path = "%s"\n  }\n}\n' "$demo/mirror" >"$demo/cli.tfrc"
mkdir "$demo/bin" "$demo/project"
ln -s "$BIN/terraform-provider-functionmesh" "$demo/bin/functionmesh"
ln -s "$terraform" "$demo/bin/terraform"
export PATH=$demo/bin:$PATH TF_CLI_CONFIG_FILE=$demo/cli.tfrc FUNCTIONMESH_DATA_DIR=$demo/data
export TF_IN_AUTOMATION=1 TF_CLI_ARGS=-no-color CHECKPOINT_DISABLE=1
cd "$demo/project"
cp "$here/main.tf" .
if [ "$DEMO_ON" = pulsar ]; then
  awk -v namespace="$namespace" '/^  local = / { print "  local     = {} # instances run on this machine"; print "  pulsar    = {} # streams are where PULSAR_URL and PULSAR_ADMIN_URL say"; print "  namespace = \"" namespace "\""; next } 1' "$here/main.tf" >main.tf
fi
head -n 200 "$top/LICENSE" >lines.txt

if [ "$DEMO_ON" = pulsar ]; then
  say "The mesh of the first demo; only the provider block is another"
  run 1 "diff $here/main.tf main.tf"
fi

say "The provider, its embedded platform and one function, built from source"
run 0 "(cd $top/examples/functions/go && GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o $demo/project/exclaim.wasm ./exclaim)"
run 0 "terraform init -input=false"

say "Plan: what would be made, without making it"
run 2 "terraform plan -input=false -detailed-exitcode"
expect "3 to add, 0 to change, 0 to destroy"

say "Apply: topics, and a mesh of two functions that is ready when this returns"
run 0 "terraform apply -input=false -auto-approve"
expect "3 added"
run 0 "functionmesh mesh status exclaim$in"
expect "mesh exclaim: 2/2 instances ready"

say "Real text through it"
run 0 "functionmesh topic produce lines --file lines.txt$at"
expect "produced 200 messages"
run 0 "functionmesh topic consume shouted --from earliest -n 200 --timeout 60s$at >shouted.txt; head -n 3 shouted.txt; wc -l <shouted.txt"
expect "Apache License!!"
sed 's/$/!!/' lines.txt | sort >want.txt
sort shouted.txt | cmp -s want.txt - || fail "shouted is not the 200 lines with two exclamation marks each"

say "Plan again: nothing to do"
run 0 "terraform plan -input=false -detailed-exitcode"
expect "No changes."

say "Drift: somebody edits a function behind Terraform's back"
run 0 "functionmesh function scale exclaim-louder 2$in"
run 2 "terraform plan -input=false -detailed-exitcode"
expect "0 to add, 1 to change, 0 to destroy"
grep -Eq 'parallelism +=? *2 -> 1' "$log" || fail "the plan does not show parallelism 2 -> 1"
[ "$(grep -Ec '[^ ] -> [^ ]' "$log")" -eq 1 ] || fail "the plan changes more than the one attribute"
run 0 "terraform apply -input=false -auto-approve"
expect "1 changed"
run 0 "terraform plan -input=false -detailed-exitcode"
expect "No changes."

say "Destroy: nothing is left"
run 0 "terraform destroy -input=false -auto-approve"
expect "3 destroyed"
if [ "$DEMO_ON" = pulsar ]; then
  run 1 "functionmesh function list$in" # not even the namespace is known here any more
  expect "does not exist"
else
  run 0 "functionmesh function list"
fi
pid=$(functionmesh local status -o json | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p')
run 0 "functionmesh local down"
run 1 "functionmesh local status"
# A process that has ended and that nobody has waited for yet (state Z) does not run.
case $(ps -o stat= -p "$pid" 2>/dev/null || true) in
  '' | Z*) ;;
  *) fail "the platform, process $pid, still runs" ;;
esac
if ps -A -o args= | grep -F "$demo/data" | grep -qv grep; then fail "a process of the platform still runs"; fi

say "The demo went through."
