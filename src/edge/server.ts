/** Listens with Node's own HTTP server and hands requests to a handler; ends without losing what it has accepted. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener, RequestError } from '@hono/node-server';
import { errorResponse } from '../api/error-response.js';
import { VecinityError } from '../errors.js';
import {
  checkObject,
  checkRules,
  integerFrom,
  isFunction,
  isString,
  isText,
  orNull,
  type Rules,
  wrongOption,
} from '../rules.js';
import { keepAddress } from './clients.js';
import { isLoopback, onlyFor } from './hosts.js';

export interface ListenOptions {
  hostname?: string;
  /** 0 takes any free port; digits in a string, as `process.env.PORT` has them, are as good as a number. */
  port?: number | string | undefined;
  /**
   * Names, besides `localhost` and addresses, by which the server may be asked; others are refused, because pages of
   * other sites can point their own name here. Null lets all names pass. Default: [] on a loopback address, else null.
   */
  hosts?: readonly string[] | null;
}

export interface RunningServer {
  /** For example `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly port: number;
  /** Takes no new connections and resolves when every accepted request is answered. */
  close(): Promise<void>;
}

/** Clients keep connections for about a minute; a server that closes them earlier cuts requests off that are under way. */
const keepAliveMs = 75_000;

const [aPort, isPort] = integerFrom(0, 65_535);

const rules: Rules<keyof ListenOptions> = {
  hostname: ['an address or a name', isText],
  port: [`${aPort}, as a number or in digits`, (value) => isPort(isDigits(value) ? Number(value) : value)],
  hosts: orNull(['a list of names', (value) => Array.isArray(value) && value.every(isText)]),
};

/** Listens until it is closed. Rejects with Node's own error when the address cannot be taken. */
export async function listen(
  handler: (request: Request) => Response | Promise<Response>,
  options: ListenOptions = {},
): Promise<RunningServer> {
  checkHandler(handler);
  checkObject(options);
  checkRules(rules, options);
  const { hostname = '127.0.0.1', port = 0, hosts = isLoopback(hostname) ? [] : null } = options;
  const checked = hosts === null ? handler : onlyFor(hosts, handler);
  const server = createServer({ keepAliveTimeout: keepAliveMs }, toListener(checked));
  server.headersTimeout = keepAliveMs + 1_000;
  const connections = new Connections(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(Number(port), hostname, resolve);
  });
  // A server that listens on a port, not on a pipe, has an address of this form.
  const address = server.address() as AddressInfo;
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return { url: `http://${host}:${address.port}`, port: address.port, close: () => closeServer(server, connections) };
}

/** The handler as a listener of `node:http`, for servers and frameworks that bring their own. */
export function toListener(handler: (request: Request) => Response | Promise<Response>) {
  checkHandler(handler);
  const fromSocket = (request: Request, { incoming }: { incoming: { socket: { remoteAddress?: string } } }) => {
    keepAddress(request, incoming.socket.remoteAddress);
    return handler(request);
  };
  // HTTP/1.0 needs no `host`, and the health checks of some load balancers send none.
  return getRequestListener(fromSocket, { hostname: 'localhost', overrideGlobalObjects: false, errorHandler: explain });
}

function isDigits(value: unknown): boolean {
  return isString(value) && /^\d+$/.test(value);
}

function checkHandler(handler: unknown): void {
  if (!isFunction(handler)) throw wrongOption('handler', 'a function, as `createHandler` makes it', handler);
}

/** What Node lets through and no `Request` can be made of, such as a `host` that is none. */
function explain(thrown: unknown): Response {
  if (!(thrown instanceof RequestError)) return errorResponse(thrown);
  return errorResponse(new VecinityError('invalid_request', `The request cannot be read: ${thrown.message}.`));
}

/** Connections by what they do: Node counts one that has not sent a request yet as busy, and would wait for it. */
class Connections {
  readonly #idle = new Set<Socket>();
  readonly #answers = new Set<ServerResponse>();
  #closing = false;

  constructor(server: Server) {
    server.on('connection', (socket) => {
      this.#idle.add(socket);
      socket.once('close', () => this.#idle.delete(socket));
    });
    server.on('request', ({ socket }, answer) => {
      this.#idle.delete(socket);
      this.#answers.add(answer);
      answer.once('close', () => this.#finish(socket, answer));
    });
  }

  /** Ends what waits for a next request now, and what is being answered after that. */
  close(): void {
    this.#closing = true;
    for (const answer of this.#answers) answer.shouldKeepAlive = false;
    for (const socket of this.#idle) socket.destroy();
  }

  #finish(socket: Socket, answer: ServerResponse): void {
    this.#answers.delete(answer);
    if (this.#closing) socket.end();
    else if (!socket.destroyed) this.#idle.add(socket);
  }
}

function closeServer(server: Server, connections: Connections): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error ? reject(error) : resolve()));
    connections.close();
  });
}
