# Installs the manifests of k8s/ with the provider for Kubernetes, which the root module configures:
#
#   kubectl kustomize k8s/overlays/production > manifests.yaml
#
#   module "weir" {
#     source         = "./deploy/terraform"
#     manifests_file = "${path.root}/manifests.yaml"
#   }
#
# The manifests stay what they are: what is to be changed is changed in an overlay. Kinds that operators bring,
# ServiceMonitor and ExternalSecret, have to be known to the cluster when Terraform plans.

locals {
  all = {
    for manifest in provider::kubernetes::manifest_decode_multi(file(var.manifests_file)) :
    "${manifest.kind}/${manifest.metadata.name}" => manifest
  }

  namespaces = { for key, manifest in local.all : key => manifest if manifest.kind == "Namespace" }

  has_own_secrets = nonsensitive(var.secrets != null)

  others = {
    for key, manifest in local.all : key => manifest
    if manifest.kind != "Namespace" && !(manifest.kind == "ExternalSecret" && local.has_own_secrets)
  }
}

resource "kubernetes_manifest" "namespace" {
  for_each = local.namespaces
  manifest = each.value
}

resource "kubernetes_secret_v1" "weir" {
  count      = local.has_own_secrets ? 1 : 0
  depends_on = [kubernetes_manifest.namespace]

  metadata {
    name      = "weir"
    namespace = var.namespace
    labels    = { "app.kubernetes.io/name" = "weir" }
  }

  data = {
    "database-url"    = var.secrets.database_url
    "redis-url"       = var.secrets.redis_url
    "admin-key"       = var.secrets.admin_key
    "key-pepper"      = var.secrets.key_pepper
    "backend-api-key" = var.secrets.backend_api_key
  }
}

resource "kubernetes_manifest" "all" {
  for_each   = local.others
  manifest   = each.value
  depends_on = [kubernetes_manifest.namespace, kubernetes_secret_v1.weir]

  # The autoscaler says how many replicas there are.
  computed_fields = ["metadata.annotations", "metadata.labels", "spec.replicas"]

  dynamic "wait" {
    for_each = each.value.kind == "StatefulSet" ? [true] : []

    content {
      rollout = true
    }
  }

  timeouts {
    create = var.rollout_timeout
    update = var.rollout_timeout
  }

  field_manager {
    name = "terraform"
  }
}
