//! Tests against a Kubernetes API.
