package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// A writer holds rows back until a batch is full. What it holds when the process stops is written in Commit, after the
// last producer has ended, however long those took.
func Example_flushWhatABatchStillHolds() {
	group, err := lifecycle.New(lifecycle.WithReportWriter(io.Discard))
	if err != nil {
		fmt.Println(err)
		return
	}
	rows, busy := &batch{size: 100}, make(chan struct{})
	group.Go("producer", func(ctx context.Context) error {
		for i := range 3 {
			rows.add(fmt.Sprintf("row %d", i))
		}
		close(busy)
		<-ctx.Done()
		rows.add("the last row") // work that was admitted before the stop
		return nil
	})
	err = errors.Join(
		group.Add(lifecycle.Part{Name: "rows", Phase: lifecycle.Commit, Stop: rows.flush, Remaining: rows.held}),
		group.Add(lifecycle.Part{Name: "database", Phase: lifecycle.Close, Stop: say("disconnect")}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		<-busy
		group.Shutdown(nil)
	}()
	fmt.Println("exit code", lifecycle.ExitCode(group.Run(context.Background())))
	// Output:
	// write [row 0 row 1 row 2 the last row]
	// disconnect
	// exit code 0
}

// batch writes rows in groups of size.
type batch struct {
	size int

	mu   sync.Mutex
	rows []string
}

func (b *batch) add(row string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rows = append(b.rows, row); len(b.rows) == b.size {
		b.write()
	}
}

func (b *batch) flush(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.write()
	return nil
}

func (b *batch) write() {
	fmt.Println("write", b.rows)
	b.rows = nil
}

func (b *batch) held() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(len(b.rows))
}
