//! Stories against a Kubernetes API: that of `$KUBECONFIG` if it is set, in a namespace of their own; else the one of the
//! harness. They are in `tests/it`; `cargo xtask test cluster` runs them.
