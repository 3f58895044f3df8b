/**
 * By which names a server may be asked. A page of any site can let its own name point to 127.0.0.1 after it was loaded
 * (DNS rebinding); for the browser our answers are its own then, and only the `host` header still says whom it means.
 */
import { BlockList, isIP } from 'node:net';
import { errorResponse } from '../api/error-response.js';
import type { Handler } from '../api/handler.js';
import { VecinityError } from '../errors.js';

/** Names that no public DNS leads anywhere: RFC 6761's `localhost`, and `internal`, which ICANN keeps for private use. */
const privateName = /^(?:.+\.)?(?:localhost|internal)$/;

/** Finds addresses in every spelling, IPv4 as IPv6 writes it (`::ffff:127.0.0.1`) too. */
const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether only programs of this machine reach what listens there. */
export function isLoopback(hostname: string): boolean {
  if (isIP(hostname) === 0) return hostname.toLowerCase() === 'localhost';
  return loopback.check(hostname, isIP(hostname) === 6 ? 'ipv6' : 'ipv4');
}

/** The handler behind a check of the `host` header: addresses, private names and `names` pass, others are a 400. */
export function onlyFor(
  names: readonly string[],
  handler: (request: Request) => Response | Promise<Response>,
): Handler {
  const allowed = new Set(names.map((name) => name.toLowerCase()));
  return async (request) => {
    const { hostname } = new URL(request.url);
    const isAddress = isIP(hostname.replace(/^\[|\]$/g, '')) !== 0;
    if (isAddress || privateName.test(hostname) || allowed.has(hostname)) return await handler(request);
    const known = ['localhost', 'addresses', ...allowed].join(', ');
    const remedy = 'To let a name in, give it to `--allow-host`, or to `listen` in its option `hosts`';
    const message = `The header \`host\` must name this server (${known}); got \`${hostname}\`. ${remedy}.`;
    return errorResponse(new VecinityError('invalid_request', message, { param: 'host' }));
  };
}
