variable "manifests_file" {
  description = "What `kubectl kustomize k8s/overlays/production`, or an overlay of your own, has written."
  type        = string
}

variable "namespace" {
  description = "The namespace that the overlay names."
  type        = string
  default     = "weir"
}

variable "secrets" {
  description = "What Weir reads from files, by the names that k8s/overlays/production/external-secret.yaml has; the ExternalSecret is left out then. Null where the External Secrets operator brings them, which keeps them out of Terraform's state."
  type = object({
    database_url    = string
    redis_url       = string
    admin_key       = string
    key_pepper      = string
    backend_api_key = string
  })
  default   = null
  sensitive = true

  validation {
    condition     = var.secrets == null || try(length(var.secrets.admin_key) >= 32 && length(var.secrets.key_pepper) >= 32, false)
    error_message = "admin_key and key_pepper have at least 32 characters each: make them by `openssl rand -hex 32`."
  }
}

variable "rollout_timeout" {
  description = "How long to wait until the replicas run the new version, as 15m."
  type        = string
  default     = "15m"
}
