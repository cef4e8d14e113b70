// Package kafka stops franz-go clients as parts of a lifecycle.Group.
//
// Every step is bounded, because franz-go alone is not: with a frozen broker Client.Close takes 41 s, more than the usual
// grace, and with BlockRebalanceOnPoll and a poll that was not answered by AllowRebalance it never returns.
package kafka
