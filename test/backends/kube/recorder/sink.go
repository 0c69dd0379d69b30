package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/events"
)

// tally counts Events that have come somewhere, such as writes that the API server has accepted, and the revisions that
// they made: a write that says what is there already makes none.
type tally struct {
	mutex    sync.Mutex
	total    int
	versions map[string]bool
	grown    chan struct{}
}

func newTally() *tally { return &tally{versions: map[string]bool{}, grown: make(chan struct{}, 1)} }

func (t *tally) add(stored metav1.Object, err error) {
	if err != nil {
		return
	}
	t.mutex.Lock()
	t.total++
	t.versions[stored.GetResourceVersion()] = true
	t.mutex.Unlock()
	select {
	case t.grown <- struct{}{}:
	default:
	}
}

func (t *tally) count() int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.total
}

func (t *tally) revisions() int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return len(t.versions)
}

// atLeast waits until there are so many.
func (t *tally) atLeast(ctx context.Context, wanted int) error {
	for t.count() < wanted {
		select {
		case <-t.grown:
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("only %d of %d came: %w", t.count(), wanted, ctx.Err())
		}
	}
	return nil
}

type coreSink struct {
	typedcorev1.EventSinkImpl
	written *tally
}

func (s *coreSink) Create(event *corev1.Event) (*corev1.Event, error) {
	stored, err := s.EventSinkImpl.Create(event)
	s.written.add(stored, err)
	return stored, err
}

func (s *coreSink) Patch(event *corev1.Event, data []byte) (*corev1.Event, error) {
	stored, err := s.EventSinkImpl.Patch(event, data)
	s.written.add(stored, err)
	return stored, err
}

// seriesSink remembers the count that each series has told, by the name of its Event.
type seriesSink struct {
	events.EventSinkImpl
	written *tally
	mutex   sync.Mutex
	told    map[string]int32
}

func (s *seriesSink) Create(ctx context.Context, event *eventsv1.Event) (*eventsv1.Event, error) {
	stored, err := s.EventSinkImpl.Create(ctx, event)
	s.written.add(stored, err)
	return stored, err
}

func (s *seriesSink) Patch(ctx context.Context, event *eventsv1.Event, data []byte) (*eventsv1.Event, error) {
	stored, err := s.EventSinkImpl.Patch(ctx, event, data)
	if err == nil && stored.Series != nil {
		s.mutex.Lock()
		if s.told == nil {
			s.told = map[string]int32{}
		}
		s.told[stored.Name] = stored.Series.Count
		s.mutex.Unlock()
	}
	s.written.add(stored, err)
	return stored, err
}

// complete says how many series have told at least this count.
func (s *seriesSink) complete(count int32) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	complete := 0
	for _, told := range s.told {
		if told >= count {
			complete++
		}
	}
	return complete
}
