package httpserver_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/httpserver"
)

// A request that is in flight when the stop begins is answered before the process ends.
func Example_answerWhatIsInFlight() {
	group, err := lifecycle.New(lifecycle.WithReportWriter(io.Discard))
	if err != nil {
		fmt.Println(err)
		return
	}
	arrived := make(chan struct{})
	srv := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-group.Stopping()
		fmt.Fprintln(w, "not lost")
	})}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := httpserver.Add(group, "http", srv, lis); err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		<-arrived
		group.Shutdown(nil)
	}()
	answer := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + lis.Addr().String())
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answer <- string(body)
	}()
	fmt.Println("error:", group.Run(context.Background()))
	fmt.Print(<-answer)
	// Output:
	// error: <nil>
	// not lost
}
