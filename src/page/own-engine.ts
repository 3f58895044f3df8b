/** The line to an engine worker of this page. */
import type { WireRequest } from '../protocol.js';
import type { CallLife, EngineCall, EngineLine, EngineResult, Operation } from '../wire/engine-line.js';
import { withClient } from '../wire/http.js';
import type { EngineLink } from './engine-link.js';

type Method = (...args: never[]) => Promise<EngineResult<Operation>>;

export class OwnEngine implements EngineLine {
  readonly #link: EngineLink;

  constructor(link: EngineLink) {
    this.#link = link;
  }

  async run<O extends Operation>(call: EngineCall<O>, life: CallLife = {}): Promise<EngineResult<O>> {
    // The compiler cannot see that the branch of an operation gives that operation's result.
    return (await this.#run(call as EngineCall, { ...life })) as EngineResult<O>;
  }

  async connect(port: MessagePort): Promise<void> {
    await this.#link.connect(port);
  }

  dispose(): void {
    this.#link.dispose();
  }

  #run({ operation, argument }: EngineCall, life: CallLife): Promise<EngineResult<Operation>> {
    const link = this.#link;
    switch (operation) {
      case 'embeddings':
      case 'rerank':
        return link.callWith(life, (api, line) => ask(api[operation], argument, line));
      case 'load': {
        const { model, ...options } = argument;
        const { client: _, ...listener } = life;
        return link.load(model, { ...options, ...listener });
      }
      case 'unload':
        return link.unload(argument).then(() => undefined);
      case 'exchange':
        return link.exchange(inNameOf(argument, life.client), life.signal ?? new AbortController().signal);
      default:
        return link.call((api) => ask(api[operation], argument), life.signal);
    }
  }
}

/** An operation's method takes that operation's argument; the compiler does not keep such pairs together. */
function ask(method: Method, ...args: unknown[]): Promise<EngineResult<Operation>> {
  return method(...(args as never[]));
}

function inNameOf(request: WireRequest, client: string | undefined): WireRequest {
  return client === undefined ? request : withClient(request, client);
}
