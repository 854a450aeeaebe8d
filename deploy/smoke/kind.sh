#!/usr/bin/env bash
# k8s/overlays/development in a cluster of its own, asked through the ingress: chat, a stream, what has to be refused, and
# requests while its replica is replaced. By hand: `bash deploy/smoke/kind.sh`; it needs docker, kind, kubectl and curl, and
# some minutes. KEEP=1 leaves the cluster there for a look. IMAGE_IS_BUILT=1 takes the image that is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

cluster=weir-smoke
namespace=weir-development
# The controller that the annotations of k8s/base/ingress.yaml are for.
controller=https://raw.githubusercontent.com/kubernetes/ingress-nginx/controller-v1.13.3/deploy/static/provider/kind/deploy.yaml
url=http://127.0.0.1:8088
image=ghcr.io/weir-gateway/weir:$(sed -n 's/^ *newTag: *//p' k8s/overlays/development/kustomization.yaml)
key=$(sed -n 's/^ *- admin-key=//p' k8s/overlays/development/kustomization.yaml)

say() { echo "smoke: $*"; }
fail() {
  say "failed: $*" >&2
  exit 1
}
in_cluster() { kubectl --context "kind-$cluster" "$@"; }
in_namespace() { in_cluster --namespace "$namespace" "$@"; }

# What is said last is what is needed where something went wrong.
finish() {
  local status=$?
  if [ "$status" -ne 0 ]; then
    in_namespace get pods --output wide || true
    in_namespace get events --sort-by .lastTimestamp | tail -n 30 || true
    in_namespace logs statefulset/weir --tail 50 || true
  fi
  [ "${KEEP:-0}" = 1 ] || kind delete cluster --name "$cluster"
  exit "$status"
}
trap finish EXIT

say "a cluster"
kind create cluster --name "$cluster" --config deploy/smoke/kind.yaml --wait 120s
[ "${IMAGE_IS_BUILT:-0}" = 1 ] || docker build --tag "$image" .
kind load docker-image "$image" --name "$cluster"
in_cluster apply --filename "$controller"
in_cluster --namespace ingress-nginx rollout status deployment/ingress-nginx-controller --timeout=300s

say "the manifests"
in_cluster apply --kustomize k8s/overlays/development
for workload in deployment/redis deployment/postgres statefulset/weir; do
  in_namespace rollout status "$workload" --timeout=300s
done
# It fetches its model first.
in_namespace rollout status deployment/llama-server --timeout=900s

ask() { curl --silent --show-error --max-time 120 --header "authorization: Bearer $key" "$@"; }
status_of() { curl --silent --output /dev/null --write-out '%{http_code}' --max-time 30 "$@"; }
chat='{"model":"gemma-3-1b","messages":[{"role":"user","content":"Say yes."}],"max_tokens":8'
post() { ask --header 'content-type: application/json' --data "$1" "$url/v1/chat/completions"; }

say "the model is found through the ingress"
for _ in $(seq 60); do
  ask "$url/v1/models" | grep -q gemma-3-1b && break
  sleep 2
done
ask "$url/v1/models" | grep -q gemma-3-1b || fail "no model gemma-3-1b: $(ask "$url/v1/models")"

say "a chat"
answer=$(post "$chat}")
grep -q '"finish_reason"' <<<"$answer" || fail "no answer: $answer"

say "a stream comes in pieces, and to its end"
stream=$(post "$chat,\"stream\":true}")
[ "$(grep -c '^data: {' <<<"$stream")" -ge 3 ] || fail "not in pieces: $stream"
grep -q '^data: \[DONE\]' <<<"$stream" || fail "no end: $stream"

say "what callers must not reach"
[ "$(status_of "$url/v1/models")" = 401 ] || fail "models without a key"
for path in /metrics /admin/accounts /docs /health/ready; do
  [ "$(status_of --header "authorization: Bearer $key" "$url$path")" = 404 ] || fail "$path is reached from outside"
done

say "what runs when the replica is replaced comes to its end"
long='{"model":"gemma-3-1b","messages":[{"role":"user","content":"Count to fifty."}],"max_tokens":200,"stream":true}'
post "$long" >/tmp/weir-smoke-stream &
reader=$!
sleep 1
in_namespace rollout restart statefulset/weir
in_namespace rollout status statefulset/weir --timeout=300s
wait "$reader" || fail "the stream was cut"
grep -q '^data: \[DONE\]\|server_shutdown' /tmp/weir-smoke-stream || fail "the stream has no end"
# The ingress takes a moment to know the new one's address.
for _ in $(seq 30); do
  status=$(status_of --header "authorization: Bearer $key" "$url/v1/models")
  [ "$status" = 200 ] && break
  sleep 1
done
[ "$status" = 200 ] || fail "not there after the restart: $status"

say "passed"
