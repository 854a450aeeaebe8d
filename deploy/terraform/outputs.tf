output "resources" {
  description = "What was installed, as kind and name."
  value       = sort(concat(keys(local.namespaces), keys(local.others)))
}

output "namespace" {
  description = "Where it is."
  value       = var.namespace
}
