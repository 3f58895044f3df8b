/** JSON that is written already, as pieces of bytes: a server sends them one by one, as fast as its client reads. */

export class WrittenJson {
  readonly #pieces: readonly Uint8Array<ArrayBuffer>[];

  constructor(pieces: readonly Uint8Array<ArrayBuffer>[]) {
    this.#pieces = pieces;
  }

  get byteLength(): number {
    return this.#pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** The body of a response: bytes where they are few, else a stream of them. */
  toBody(): Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> {
    const [first, second] = this.#pieces;
    if (first && !second) return first;
    const rest = this.#pieces.values();
    return new ReadableStream({
      pull(controller) {
        const { done, value } = rest.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
    });
  }
}
