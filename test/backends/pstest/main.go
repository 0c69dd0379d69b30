// Google's own fake of Pub/Sub, in memory, on the address given as the only argument.
package main

import (
	"fmt"
	"os"

	"cloud.google.com/go/pubsub/v2/pstest"
)

func main() {
	server := pstest.NewServerWithAddress(os.Args[1])
	fmt.Println("listening on", server.Addr)
	select {}
}
