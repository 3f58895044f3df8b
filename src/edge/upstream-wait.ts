/** One request to another server while we wait for it: silence ends it, and so does the client that asked. */
import { VecinityError } from '../errors.js';
import { longestTimerMs } from '../pause.js';

export class UpstreamWait {
  readonly #controller = new AbortController();
  readonly #timeoutMs: number;
  /** Ends the request, also while its answer is being read. */
  readonly signal: AbortSignal;

  constructor(timeoutMs: number, signal: AbortSignal | undefined) {
    this.#timeoutMs = timeoutMs;
    this.signal = signal ? AbortSignal.any([signal, this.#controller.signal]) : this.#controller.signal;
  }

  /** The same promise; it rejects when the server is silent for too long. The clock runs only here. */
  async during<T>(work: Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.#controller.abort(), Math.min(longestTimerMs, this.#timeoutMs));
    try {
      return await work;
    } finally {
      clearTimeout(timer);
    }
  }

  /** A body whose pieces are taken from the server when the client wants them; a client that leaves ends the request. */
  watch(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const reader = body.getReader();
    return new ReadableStream(
      {
        pull: async (controller) => {
          const { done, value } = await this.during(reader.read());
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: (reason) => reader.cancel(reason),
      },
      { highWaterMark: 0 },
    );
  }

  /** What it means that the request failed without an answer. */
  explain(thrown: unknown, server: string): VecinityError {
    if (this.#controller.signal.aborted) {
      const message = `The server at ${server} was silent for ${this.#timeoutMs} ms.`;
      return new VecinityError('timeout', message, { cause: thrown });
    }
    const message = `The server at ${server} could not be reached: ${reasonOf(thrown)}.`;
    return new VecinityError('upstream_failed', message, { cause: thrown });
  }
}

/** `fetch` hides the reason behind "fetch failed". */
function reasonOf(thrown: unknown): string {
  const error = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.replace(/\.$/, '');
}
