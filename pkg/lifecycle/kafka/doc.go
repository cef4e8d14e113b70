// Package kafka makes franz-go clients parts of a lifecycle.Group: a whole consumer ([AddLoop]), a client that somebody
// else polls ([AddConsumer]), a producer ([AddProducer]), and an outbox relay ([AddRelay]).
//
// Every step is bounded, because franz-go alone is not: with a frozen broker Client.Close takes 41 s, more than the usual
// grace, a commit may not heed its context, and with BlockRebalanceOnPoll and a poll that was not answered by
// AllowRebalance closing never returns.
package kafka
