// Google's own fake of Pub/Sub, in memory, on the address given as the only argument. It answers every publish to a topic
// whose name ends in -fails-N with the gRPC status N.
package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var failing = regexp.MustCompile(`-fails-([0-9]+)$`)

type reactor struct{}

func (reactor) React(request interface{}) (handled bool, answer interface{}, err error) {
	publish, ok := request.(*pubsubpb.PublishRequest)
	if !ok {
		return false, nil, nil
	}
	match := failing.FindStringSubmatch(publish.Topic)
	if match == nil {
		return false, nil, nil
	}
	code, _ := strconv.Atoi(match[1])
	return true, &pubsubpb.PublishResponse{}, status.Error(codes.Code(code), "as its name says")
}

func main() {
	server := pstest.NewServerWithAddress(os.Args[1], pstest.ServerReactorOption{FuncName: "Publish", Reactor: reactor{}})
	fmt.Println("listening on", server.Addr)
	select {}
}
