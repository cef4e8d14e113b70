// Package mutation holds tests against their own claim. A list beside a package
// says which change of its code must be caught by which test; the runner makes
// every change in turn, through an overlay and not in the tree, and runs that
// test, which has to fail.
//
// A list is the file testdata/mutations.txt of the package. Lines that begin with
// # are comments. An entry begins with what the change breaks, in brackets:
//
//	[the floors of later phases are eaten]
//	file: budget.go
//	from: end := d.Add(-p.floorsAfter(ph))
//	to:   end := d
//	test: TestTimeFlowsForwardAndFloorsAreKept
//	size: ci
//
// file is relative to the package. from must be there exactly once; repeated from
// and to lines are joined, and white space at their ends does not count. An entry
// without to removes the text. test is one test function; package, relative to
// the package of the list, says where it is, if not there. Entries with size: ci
// are run by every change, all of them by make mutations and make soak, which also
// run each test on the code as it is: it must pass there, or it proves nothing.
package mutation
