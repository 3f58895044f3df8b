/** The called end of `calls.ts`: makes a call's options whole again, with a signal and a callback that reach the caller. */
import { VecinityError } from '../errors.js';
import { type Live, setReceiver, type Wire } from './calls.js';

/** Once, before the first call comes in. */
export function installReceiver(): void {
  setReceiver((wire) => ({ ...wire.plain, ...revive(wire) }));
}

function revive({ port, aborted, wantsProgress }: Wire): Live {
  const controller = new AbortController();
  const abort = () => controller.abort(new VecinityError('aborted', 'The request was aborted.'));
  if (aborted) abort();
  port.onmessage = (event: MessageEvent<unknown>) => {
    if (event.data === 'abort') abort();
    if (event.data === 'release') port.close();
  };
  const live: Live = { signal: controller.signal };
  if (wantsProgress) live.onProgress = (progress) => port.postMessage(progress);
  return live;
}
