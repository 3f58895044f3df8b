/**
 * Whose request it is, for the queue's fair shares: the address that it came from, or what a proxy in front says. An API
 * key is no name: all callers of a server have the same one.
 */
import { isString, wrongOption } from '../rules.js';

const addresses = new WeakMap<Request, string>();

/** Keeps where a request came from; `listen` and `toListener` do so for each. */
export function keepAddress(request: Request, address: string | undefined): void {
  if (address !== undefined) addresses.set(request, address);
}

/**
 * Names the client of a request. Without `header` it is the host that is connected to us. With `header`, which must be
 * one that the proxy in front always writes (`x-forwarded-for`), it is the last name there: the proxy wrote that one, and
 * anybody can send the others. Throws `invalid_request` for what is no name of a header.
 */
export function createClientOf(header: string | null = null): (request: Request) => string | undefined {
  if (header !== null && !isHeaderName(header)) throw wrongOption('header', 'the name of a header or null', header);
  return (request) => {
    const said = header === null ? undefined : request.headers.get(header)?.split(',').at(-1)?.trim();
    const address = said || addresses.get(request);
    return address === undefined ? undefined : toHost(address);
  };
}

/** An IPv6 host has a network of 2^64 addresses, so its first half names it; IPv4 is often written inside of IPv6. */
function toHost(address: string): string {
  const inner = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (inner !== undefined || !URL.canParse(`http://[${address}]`)) return inner ?? address;
  return firstHalf(new URL(`http://[${address}]`).hostname.slice(1, -1));
}

/** Of an address in its shortest form, where `::` stands for all the zeros in a row. */
function firstHalf(address: string): string {
  const [before = '', after] = address.split('::');
  const groups = before === '' ? [] : before.split(':');
  const rest = after === undefined || after === '' ? [] : after.split(':');
  const zeros = after === undefined ? [] : Array.from({ length: 8 - groups.length - rest.length }, () => '0');
  return `${[...groups, ...zeros, ...rest].slice(0, 4).join(':')}::/64`;
}

/** Also what a command line gives. */
export function isHeaderName(value: unknown): boolean {
  return isString(value) && /^[\w!#$%&'*+.^`|~-]+$/.test(String(value));
}
