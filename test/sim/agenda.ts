interface Event {
  at: number;
  /** Of two at one time, the one that was put down first comes first. */
  order: number;
  run: () => void;
}

/** What is to happen, by its time in simulated ms (a binary heap); nothing else makes time pass. */
export class Agenda {
  now = 0;
  private order = 0;
  private readonly heap: Event[] = [];

  after(ms: number, run: () => void): void {
    const event = { at: this.now + ms, order: this.order++, run };
    const { heap } = this;
    let i = heap.length;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const other = heap[parent] as Event;
      if (!before(event, other)) break;
      heap[i] = other;
      i = parent;
    }
    heap[i] = event;
  }

  /** Everything that is to happen until then. */
  runUntil(at: number): void {
    for (let next = this.heap[0]; next && next.at <= at; next = this.heap[0]) {
      this.take();
      this.now = next.at;
      next.run();
    }
    this.now = at;
  }

  private take(): void {
    const { heap } = this;
    const last = heap.pop() as Event;
    const { length } = heap;
    if (length === 0) return;
    let i = 0;
    for (let child = 1; child < length; child = 2 * i + 1) {
      if (child + 1 < length && before(heap[child + 1] as Event, heap[child] as Event)) child++;
      if (!before(heap[child] as Event, last)) break;
      heap[i] = heap[child] as Event;
      i = child;
    }
    heap[i] = last;
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
