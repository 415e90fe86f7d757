// The same two measurements with hashicorp/memberlist, in its LAN configuration: real sockets on 127.0.1.1 and up, all
// nodes in one process. Prints JSON, seconds each: {"changes":[…],"deaths":[…]}.
//
// Each node passes a message on to so many others, chosen at random, and no more: of 64 nodes one misses a join or a change
// now and then (a join in 3 of 12 runs), and hears of it by a full exchange, which each begins after 30 to 120 s, and
// every 60 s from then on. So nodes join twice, the second time when the first of them knows all; and messages go with the full
// exchange, too, as those of serf do.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// node passes on what it hears, as serf does, and notes when it hears it.
type node struct {
	list  *memberlist.Memberlist
	queue *memberlist.TransmitLimitedQueue
	mu    sync.Mutex
	seen  map[string]time.Time
	left  map[string]time.Time
}

// exchanged is how long it takes at most, with some to spare, until each has begun a full exchange of its own.
const exchanged = 4 * time.Minute

type message []byte

func (m message) Invalidates(memberlist.Broadcast) bool { return false }
func (m message) Message() []byte                       { return m }
func (m message) Finished()                             {}

func (n *node) NodeMeta(int) []byte               { return nil }
func (n *node) NotifyJoin(*memberlist.Node)       {}
func (n *node) NotifyUpdate(*memberlist.Node)     {}
func (n *node) GetBroadcasts(o, l int) [][]byte   { return n.queue.GetBroadcasts(o, l) }
func (n *node) NotifyMsg(text []byte)             { n.hear(append([]byte(nil), text...)) }
func (n *node) NotifyLeave(gone *memberlist.Node) { n.note(n.left, gone.Name) }

func (n *node) note(where map[string]time.Time, what string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, known := where[what]; known {
		return false
	}
	where[what] = time.Now()
	return true
}

func (n *node) LocalState(bool) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	text, err := json.Marshal(slices.Collect(maps.Keys(n.seen)))
	if err != nil {
		log.Fatal(err)
	}
	return text
}

func (n *node) MergeRemoteState(text []byte, _ bool) {
	var theirs []string
	if err := json.Unmarshal(text, &theirs); err != nil {
		log.Fatal(err)
	}
	for _, what := range theirs {
		n.note(n.seen, what)
	}
}

// forget makes up for a node that was taken for dead while it lived: its death is noted when it comes.
func (n *node) forget(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.left, name)
}

func (n *node) hear(text []byte) {
	if n.note(n.seen, string(text)) {
		n.queue.QueueBroadcast(message(text))
	}
}

// last tells when the last of them had it, once all have.
func last(nodes []*node, where func(*node) map[string]time.Time, what string) time.Time {
	for start := time.Now(); time.Since(start) < exchanged; time.Sleep(5 * time.Millisecond) {
		latest, count := time.Time{}, 0
		for _, n := range nodes {
			n.mu.Lock()
			at, known := where(n)[what]
			n.mu.Unlock()
			if known {
				count++
			}
			if at.After(latest) {
				latest = at
			}
		}
		if count == len(nodes) {
			return latest
		}
	}
	log.Fatalf("%q is not known everywhere after %s", what, exchanged)
	return time.Time{}
}

// untilMet returns when all know all. One that is taken for dead while cores are busy is known again within seconds.
func untilMet(nodes []*node) {
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		met := 0
		for _, n := range nodes {
			if n.list.NumMembers() == len(nodes) {
				met++
			}
		}
		if met == len(nodes) {
			return
		}
		if time.Since(start) > exchanged {
			log.Fatalf("only %d of %d nodes know all", met, len(nodes))
		}
	}
}

func main() {
	size := flag.Int("nodes", 256, "how many nodes")
	changes := flag.Int("changes", 20, "how many changes")
	deaths := flag.Int("deaths", 5, "how many nodes die")
	flag.Parse()
	nodes := make([]*node, *size)
	for i := range nodes {
		n := &node{seen: map[string]time.Time{}, left: map[string]time.Time{}}
		config := memberlist.DefaultLANConfig()
		config.Name = fmt.Sprintf("node%d", i)
		config.BindAddr = fmt.Sprintf("127.0.%d.%d", 1+i/250, 1+i%250)
		config.AdvertiseAddr = config.BindAddr
		config.BindPort, config.AdvertisePort = 18820, 18820
		config.Delegate, config.Events, config.LogOutput = n, n, io.Discard
		n.queue = &memberlist.TransmitLimitedQueue{RetransmitMult: config.RetransmitMult, NumNodes: func() int { return *size }}
		list, err := memberlist.Create(config)
		if err != nil {
			log.Fatal(err)
		}
		n.list = list
		nodes[i] = n
	}
	for range 2 {
		for _, n := range nodes[1:] {
			if _, err := n.list.Join([]string{nodes[0].list.LocalNode().Address()}); err != nil {
				log.Fatal(err)
			}
		}
	}
	untilMet(nodes)
	time.Sleep(5 * time.Second)
	result := map[string][]float64{"changes": {}, "deaths": {}}
	seen := func(n *node) map[string]time.Time { return n.seen }
	left := func(n *node) map[string]time.Time { return n.left }
	for i := 0; i < *changes; i++ {
		text := fmt.Sprintf("change %d", i)
		start := time.Now()
		nodes[i%*size].hear([]byte(text))
		at := last(nodes, seen, text)
		result["changes"] = append(result["changes"], at.Sub(start).Seconds())
		time.Sleep(time.Second)
	}
	for i := 0; i < *deaths; i++ {
		untilMet(nodes)
		victim := nodes[len(nodes)-1]
		nodes = nodes[:len(nodes)-1]
		name := victim.list.LocalNode().Name
		for _, n := range nodes {
			n.forget(name)
		}
		start := time.Now()
		_ = victim.list.Shutdown()
		at := last(nodes, left, name)
		result["deaths"] = append(result["deaths"], at.Sub(start).Seconds())
	}
	_ = json.NewEncoder(os.Stdout).Encode(result)
}
