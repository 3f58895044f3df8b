/**
 * Frees results and copies that nobody reads any more; they are empty afterwards. A worker that makes little else than
 * results seldom collects garbage, and would keep tens of megabytes of them. Does nothing where the platform cannot
 * (Node 20), and for what was handed over: a body that is being read has taken its reader's buffer.
 */
export function release(values: ArrayBufferView | ArrayBuffer): void {
  const buffer = ArrayBuffer.isView(values) ? values.buffer : values;
  // `transfer` throws for what has no bytes because they are elsewhere.
  if (buffer instanceof ArrayBuffer && buffer.byteLength > 0 && typeof buffer.transfer === 'function')
    buffer.transfer(0);
}
