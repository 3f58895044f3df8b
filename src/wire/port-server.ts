/** The answering end of a port: whole requests go to one WHATWG handler, whole responses come back, cancels abort. */
import { errorResponse } from '../api/error-response.js';
import type { FromEnginePort, ToEnginePort, WireRequest, WireResponse } from '../protocol.js';
import { Answers, keyOf } from './answers.js';
import { protocolVersion } from './engine-port.js';
import { fromWireRequest, toWireResponse } from './http.js';

export interface PortServerOptions {
  handler: (request: Request) => Promise<Response>;
  engineId: string;
  /** What all ports of an engine know together; by default a port knows its own. */
  answers?: Answers;
}

/** Says `hello` and answers every request until the other end says `close`. */
export function servePort(port: MessagePort, { handler, engineId, answers = new Answers() }: PortServerOptions): void {
  const open = new Map<string, AbortController>();
  const answered: WireRequest[] = [];
  const post = (message: FromEnginePort, transfer: Transferable[] = []) => port.postMessage(message, transfer);

  async function answer(id: string, request: WireRequest): Promise<void> {
    const controller = new AbortController();
    open.set(id, controller);
    const response = await answers.ask(request, controller.signal, respond);
    if (!open.delete(id)) return;
    if (keyOf(request) !== null) answered.push(request);
    post({ type: 'response', id, response }, response.body ? [response.body] : []);
  }

  async function respond(request: WireRequest, signal: AbortSignal): Promise<WireResponse> {
    try {
      return await toWireResponse(await handler(fromWireRequest(request, signal)));
    } catch (thrown) {
      return await toWireResponse(errorResponse(thrown));
    }
  }

  function cancel(id: string): void {
    open.get(id)?.abort();
    open.delete(id);
  }

  port.onmessage = (event: MessageEvent<ToEnginePort>) => {
    const message = event.data;
    if (message.type === 'request') void answer(message.id, message.request);
    if (message.type === 'cancel') cancel(message.id);
    if (message.type === 'close') {
      for (const id of [...open.keys()]) cancel(id);
      for (const request of answered) answers.delivered(request);
      port.close();
    }
  };
  post({ type: 'hello', version: protocolVersion, engineId });
}
