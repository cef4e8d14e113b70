// Package manifests renders the overlays of deploy/ as kubectl does and says
// which rules of this repository they break. What it knows of Kubernetes are the
// types and schemas of one version; whether a cluster accepts and runs the
// manifests, e2e/kubernetes shows.
//
// It is a module of its own, beside the workspace, because what renders
// manifests requires more than all services together.
package manifests
