package interceptors

import (
	"context"
	"errors"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/google/go-cmp/cmp"

	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
)

func TestLinksThatAreNotTheDeclaredOnesInTheDeclaredOrderAreRefused(t *testing.T) {
	all := func() []link {
		var out []link
		for _, name := range order {
			out = append(out, link{Link: Link{Name: name}})
		}
		return out
	}
	if _, err := assemble(Config{}, all()); err != nil {
		t.Fatal(err)
	}
	for i := range order {
		if _, err := assemble(Config{}, slices.Delete(all(), i, i+1)); err == nil {
			t.Errorf("without %s: taken", order[i])
		}
		doubled := slices.Insert(all(), i, link{Link: Link{Name: order[i]}})
		if _, err := assemble(Config{}, doubled); err == nil {
			t.Errorf("%s twice: taken", order[i])
		}
		if i > 0 {
			swapped := all()
			swapped[i-1], swapped[i] = swapped[i], swapped[i-1]
			if _, err := assemble(Config{}, swapped); err == nil {
				t.Errorf("%s before %s: taken", order[i], order[i-1])
			}
		}
	}
	if _, err := assemble(Config{}, append(all(), link{Link: Link{Name: "mine"}})); err == nil {
		t.Error("a link that is not declared: taken")
	}
}

// traced returns links that write down what runs; refuseAt is the link whose
// before fails.
func traced(trace *[]string, refuseAt string) []link {
	var out []link
	for _, name := range order {
		out = append(out, link{
			Link: Link{Name: name},
			before: func(ctx context.Context, _ *call) (context.Context, error) {
				*trace = append(*trace, "> "+name)
				if name == refuseAt {
					return nil, errors.New("refused")
				}
				return ctx, nil
			},
			message: func(context.Context, *call, proto.Message) error {
				*trace = append(*trace, "= "+name)
				return nil
			},
			after: func(_ *call, err error) error {
				*trace = append(*trace, "< "+name)
				return err
			},
		})
	}
	return out
}

// oneMessage is a transport stream that receives one message.
type oneMessage struct {
	grpc.ServerStream

	ctx context.Context //nolint:containedctx // the interface asks for it
}

func (o oneMessage) Context() context.Context { return o.ctx }
func (o oneMessage) RecvMsg(any) error        { return nil }

func TestUnaryCallsAndStreamsRunTheSameLinksInTheSameOrder(t *testing.T) {
	perms, err := authz.ParsePermissions([]byte(shop.Permissions))
	if err != nil {
		t.Fatal(err)
	}
	policy, err := authz.NewPolicy(authz.FileServices(shop.File), perms)
	if err != nil {
		t.Fatal(err)
	}
	const method = "/" + shop.ServiceName + "/Login"
	for _, outcome := range append([]string{"ok", "error", "panic"}, order...) {
		t.Run(outcome, func(t *testing.T) {
			handle := func() error {
				switch outcome {
				case "error":
					return errors.New("failed")
				case "panic":
					panic("failed")
				default:
					return nil
				}
			}
			var unary, stream []string
			ch, err := assemble(Config{Policy: policy}, traced(&unary, outcome))
			if err != nil {
				t.Fatal(err)
			}
			_, unaryErr := ch.unary(t.Context(), &emptypb.Empty{}, &grpc.UnaryServerInfo{FullMethod: method}, func(context.Context, any) (any, error) {
				unary = append(unary, "handler")
				return nil, handle()
			})
			if ch, err = assemble(Config{Policy: policy}, traced(&stream, outcome)); err != nil {
				t.Fatal(err)
			}
			streamErr := ch.stream(nil, oneMessage{ctx: t.Context()}, &grpc.StreamServerInfo{FullMethod: method}, func(_ any, s grpc.ServerStream) error {
				if err := s.RecvMsg(&emptypb.Empty{}); err != nil {
					return err
				}
				stream = append(stream, "handler")
				return handle()
			})
			if diff := cmp.Diff(unary, stream); diff != "" {
				t.Errorf("unary and stream differ:\n%s", diff)
			}
			if (unaryErr == nil) != (streamErr == nil) || (unaryErr == nil) != (outcome == "ok") {
				t.Errorf("unary %v, stream %v", unaryErr, streamErr)
			}
			checkOnion(t, unary)
		})
	}
}

// checkOnion fails unless every link that was entered is left, in reverse.
func checkOnion(t *testing.T, trace []string) {
	t.Helper()
	var entered, left []string
	for _, line := range trace {
		switch line[:2] {
		case "> ":
			entered = append(entered, line[2:])
		case "< ":
			left = append(left, line[2:])
		}
	}
	slices.Reverse(left)
	if len(left) < len(entered)-1 || !slices.Equal(entered[:len(left)], left) {
		t.Errorf("entered %v, left in reverse %v", entered, left)
	}
}

// FuzzMetadata feeds authorization and x-request-id values, any number of each.
func FuzzMetadata(f *testing.F) {
	f.Add("Bearer abc", "", "id-1", 1)
	f.Add("bearer ", "Bearer x", "", 2)
	f.Add("Basic x", "", "\x00\n", 1)
	f.Add("BEARER\tx", "", "a b", 0)
	f.Fuzz(func(t *testing.T, first, second, id string, n int) {
		values := []string{first, second}[:min(max(n, 0), 2)]
		raw, err := bearer(metadata.MD{"authorization": values})
		if (raw == "") == (err == nil) {
			t.Fatalf("got a token %t and %v", raw != "", err)
		}
		if err == nil && (len(values) != 1 || string(raw) != first[len(scheme):]) {
			t.Fatalf("a token from %d values", len(values))
		}
		for _, c := range id {
			if harmless(id) && (c <= ' ' || c > '~' || c == '"' || c == '\\') {
				t.Fatalf("%q is called harmless", id)
			}
		}
		_ = tooMuch(metadata.MD{"authorization": values, "x-request-id": {id}}, 100)
	})
}
