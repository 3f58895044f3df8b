/** Whose request it is, on Node: what the queue shares the device by. */
import { describe, expect, it } from 'vitest';
import { createClientOf, keepAddress } from '../../src/edge/clients.js';
import { listen } from '../../src/edge/server.js';

function from(address: string | undefined, headers: Record<string, string> = {}): Request {
  const request = new Request('http://site.example/', { headers });
  keepAddress(request, address);
  return request;
}

describe('the client of a request', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:9:9:9:9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
  ])('at %s is %s', (address, client) => {
    expect(createClientOf()(from(address))).toBe(client);
  });

  it('is not known where no connection is', () => {
    expect(createClientOf()(from(undefined))).toBeUndefined();
  });

  it('is what the proxy wrote, which is the last name, and only where that was asked for', () => {
    const request = from('10.0.0.1', { 'x-forwarded-for': 'forged, 192.0.2.7' });
    expect(createClientOf('x-forwarded-for')(request)).toBe('192.0.2.7');
    expect(createClientOf()(request)).toBe('10.0.0.1');
    expect(createClientOf('x-forwarded-for')(from('10.0.0.1'))).toBe('10.0.0.1');
  });

  it('is known to whoever listens', async () => {
    const clientOf = createClientOf();
    const server = await listen((request) => new Response(clientOf(request)));
    expect(await (await fetch(server.url)).text()).toBe('127.0.0.1');
    await server.close();
  });
});
