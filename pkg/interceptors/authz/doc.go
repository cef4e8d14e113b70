// Package authz decides whether a caller may call a method on a resource.
//
// The rules stand in the .proto files, one method option
// (curfew.authz.v1.rule) per RPC; which role holds which permission stands in
// one JSON file per service. A Policy is made from both and refuses to be made
// if they do not fit: a method without a rule, a rule that contradicts itself,
// a permission that nobody holds or that no rule asks for. What no rule admits
// is denied.
//
// "Only my own" is decided from the resource name in the request, before a
// handler runs and so before any SQL.
package authz
