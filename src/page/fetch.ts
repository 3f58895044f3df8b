/** `vecinity.fetch`: a drop-in for `fetch` that answers our paths from the engine and leaves the rest to the platform. */
import { errorResponse } from '../api/error-response.js';
import type { WireRequest, WireResponse } from '../protocol.js';
import { fromWireResponse, toWireRequest } from '../wire/http.js';
import { engineUrl, type Mount } from '../wire/routes.js';

export type Exchange = (request: WireRequest, signal: AbortSignal) => Promise<WireResponse>;

/**
 * Behaves as `fetch` does: an abort throws the signal's reason, every other failure of the engine is a response with
 * its status and OpenAI's error body, so that SDKs retry it as they would against a server.
 */
export function createFetch(exchange: Exchange, mount: Mount): typeof fetch {
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input, document.baseURI);
    const target = engineUrl(url, mount);
    if (target === null) return await globalThis.fetch(input, init);
    const request = new Request(input, init);
    try {
      return fromWireResponse(await exchange(await toWireRequest(request, target), request.signal));
    } catch (thrown) {
      request.signal.throwIfAborted();
      return errorResponse(thrown);
    }
  };
}
