// Shopify's Toxiproxy, which delays, holds and cuts connections, with its API on the host and port given as arguments.
package main

import (
	"os"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

func main() {
	metrics := toxiproxy.NewMetricsContainer(prometheus.NewRegistry())
	server := toxiproxy.NewServer(metrics, zerolog.New(os.Stdout).With().Timestamp().Logger())
	server.Listen(os.Args[1], os.Args[2])
}
