/** Time as a dependency, so that distributed code can run in a simulation. All values are milliseconds. */
export interface Clock {
  /** Wall clock, since the Unix epoch. Never used to order events between nodes. */
  wall(): number;
  /** Monotonic clock with an arbitrary origin. */
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  wall: () => Date.now(),
  now: () => performance.now(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const timer = setTimeout(done, ms);
      function done() {
        signal?.removeEventListener("abort", abort);
        resolve();
      }
      function abort() {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      }
      signal?.addEventListener("abort", abort, { once: true });
    });
  },
};
