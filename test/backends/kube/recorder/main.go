// Emits Events through client-go's own two recorders, as controllers do, and ends when the API server has them all.
//
// tools/record writes core/v1: repeats raise `count`, and many similar ones are combined into one. tools/events writes
// events.k8s.io/v1: the second one makes a series, whose count then stands still until it is refreshed. One line of
// JSON on standard output says what was emitted and how many revisions the API server has made of it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/tools/record"
)

type plan struct {
	namespace string
	objects   int
	repeats   int
	distinct  int
}

type summary struct {
	Emitted   int `json:"emitted"`
	Revisions int `json:"revisions"`
}

func main() {
	server := flag.String("server", "", "URL of the API server")
	ca := flag.String("ca", "", "file with its certificate authority")
	token := flag.String("token", "", "bearer token")
	within := flag.Duration("within", time.Minute, "give up after this time")
	var p plan
	flag.StringVar(&p.namespace, "namespace", "default", "of the Events and of what they are about")
	flag.IntVar(&p.objects, "objects", 5, "how many Pods the Events are about")
	flag.IntVar(&p.repeats, "repeats", 5, "how often each Event is emitted")
	flag.IntVar(&p.distinct, "distinct", 15, "how many similar Events with a note of their own each Pod gets from tools/record; more than 10 are combined")
	flag.Parse()

	config := &rest.Config{Host: *server, BearerToken: *token, QPS: -1}
	config.CAFile = *ca
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), *within)
	defer cancel()
	core, err := emitCore(ctx, client, p)
	if err != nil {
		log.Fatal("tools/record: ", err)
	}
	series, err := emitSeries(ctx, client, p)
	if err != nil {
		log.Fatal("tools/events: ", err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]summary{"record": core, "events": series}); err != nil {
		log.Fatal(err)
	}
}

func (p plan) pods(prefix string) []*corev1.ObjectReference {
	pods := make([]*corev1.ObjectReference, p.objects)
	for i := range pods {
		name := fmt.Sprintf("%s-%d", prefix, i)
		pods[i] = &corev1.ObjectReference{
			APIVersion: "v1", Kind: "Pod", Namespace: p.namespace, Name: name, UID: types.UID("uid-" + name),
		}
	}
	return pods
}

// emitCore emits one Event at a time: a recorder drops what comes while a thousand of them wait.
func emitCore(ctx context.Context, client kubernetes.Interface, p plan) (summary, error) {
	sink := &coreSink{EventSinkImpl: typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")}, written: newTally()}
	broadcaster := record.NewBroadcasterWithCorrelatorOptions(record.CorrelatorOptions{BurstSize: 1 << 20})
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(sink)
	recorder := broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "test-recorder", Host: "node-1"})
	emitted := 0
	emit := func(pod *corev1.ObjectReference, kind, reason, note string) error {
		recorder.Event(pod, kind, reason, note)
		emitted++
		return sink.written.atLeast(ctx, emitted)
	}
	for _, pod := range p.pods("record") {
		for range p.repeats {
			if err := emit(pod, corev1.EventTypeWarning, "BackOff", "Back-off restarting failed container"); err != nil {
				return summary{}, err
			}
		}
		for i := range p.distinct {
			if err := emit(pod, corev1.EventTypeNormal, "Probed", fmt.Sprintf("probe %d has passed", i)); err != nil {
				return summary{}, err
			}
		}
	}
	return summary{emitted, sink.written.revisions()}, nil
}

func emitSeries(ctx context.Context, client kubernetes.Interface, p plan) (summary, error) {
	sink := &seriesSink{EventSinkImpl: events.EventSinkImpl{Interface: client.EventsV1()}, written: newTally()}
	broadcaster := events.NewBroadcaster(sink)
	defer broadcaster.Shutdown()
	if err := broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		return summary{}, err
	}
	passed := newTally()
	stop, err := broadcaster.StartEventWatcher(func(object runtime.Object) {
		if event, ok := object.(*eventsv1.Event); ok {
			passed.add(event, nil)
		}
	})
	if err != nil {
		return summary{}, err
	}
	defer stop()
	recorder := broadcaster.NewRecorder(scheme.Scheme, "kube-fanout.test/recorder")
	node := &corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: "node-1", UID: "node-1"}
	pods := p.pods("events")
	emitted := 0
	for round := range p.repeats {
		for _, pod := range pods {
			recorder.Eventf(pod, node, corev1.EventTypeWarning, "FailedMount", "Mounting", "volume of %s is not there", pod.Name)
			emitted++
		}
		// The first makes the Event and the second its series; the others only raise a count in the recorder.
		if round < 2 {
			if err := sink.written.atLeast(ctx, emitted); err != nil {
				return summary{}, err
			}
		}
	}
	if p.repeats > 2 {
		// A recording that begins while Events are still on their way to the recorder counts these a second time.
		if err := passed.atLeast(ctx, emitted); err != nil {
			return summary{}, err
		}
		if err := refresh(ctx, broadcaster, sink, p); err != nil {
			return summary{}, err
		}
	}
	return summary{emitted, sink.written.revisions()}, nil
}

// refresh makes every series tell its count. A recorder does so each half hour, and whenever a recording begins.
func refresh(ctx context.Context, broadcaster events.EventBroadcaster, sink *seriesSink, p plan) error {
	for sink.complete(int32(p.repeats)) < p.objects {
		before := sink.written.count()
		if err := broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
			return err
		}
		if err := sink.written.atLeast(ctx, before+p.objects); err != nil {
			return err
		}
	}
	return nil
}
