/**
 * Frees results and copies that nobody reads any more; they are empty afterwards. A worker that makes little else than
 * results seldom collects garbage, and would keep tens of megabytes of them. Does nothing where the platform cannot
 * (Node 20).
 */
export function release(values: ArrayBufferView | ArrayBuffer): void {
  const buffer = ArrayBuffer.isView(values) ? values.buffer : values;
  if (buffer instanceof ArrayBuffer && typeof buffer.transfer === 'function') buffer.transfer(0);
}
