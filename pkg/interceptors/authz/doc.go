// Package authz decides whether a caller may call a method on a resource.
//
// Every method has one rule, a method option (curfew.authz.v1.rule) in the .proto
// file. One JSON file per service says which role holds which permission.
// [NewPolicy] compiles both into a [Policy] and fails if they do not fit together: a
// method without a rule, a rule that contradicts itself, a permission that no role
// holds or that no rule asks for. What no rule admits is denied.
//
// "Only my own" is decided from the resource name in the request, before the handler
// runs and so before any SQL.
//
// Package authztest calls every method of a service in every combination of role,
// resource and token, and compares the answers with the rules.
package authz
