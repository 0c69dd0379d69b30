// Google's own fake of Pub/Sub, in memory, on the address given as the only argument. It answers every publish to a topic
// whose name ends in -fails-N with the gRPC status N, and every one to topic T while there is a topic T-fails-N.
package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"sync"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var failing = regexp.MustCompile(`^(.*)-fails-([0-9]+)$`)

// How publishes fail, by topic.
type reactor struct {
	sync.Mutex
	codes map[string]codes.Code
}

func (r *reactor) React(request interface{}) (handled bool, answer interface{}, err error) {
	r.Lock()
	defer r.Unlock()
	switch asked := request.(type) {
	case *pubsubpb.Topic:
		if match := failing.FindStringSubmatch(asked.Name); match != nil {
			code, _ := strconv.Atoi(match[2])
			r.codes[match[1]], r.codes[asked.Name] = codes.Code(code), codes.Code(code)
		}
	case *pubsubpb.DeleteTopicRequest:
		if match := failing.FindStringSubmatch(asked.Topic); match != nil {
			delete(r.codes, match[1])
		}
	case *pubsubpb.PublishRequest:
		if code, fails := r.codes[asked.Topic]; fails {
			return true, &pubsubpb.PublishResponse{}, status.Error(code, "as its name says")
		}
	}
	return false, nil, nil
}

func main() {
	failures := &reactor{codes: map[string]codes.Code{}}
	options := []pstest.ServerReactorOption{}
	for _, call := range []string{"CreateTopic", "DeleteTopic", "Publish"} {
		options = append(options, pstest.ServerReactorOption{FuncName: call, Reactor: failures})
	}
	server := pstest.NewServerWithAddress(os.Args[1], options...)
	fmt.Println("listening on", server.Addr)
	select {}
}
