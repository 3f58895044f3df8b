/** Addresses of scripts where a site asks for Trusted Types, on a stand-in of the platform's factory. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

interface Rules {
  createScriptURL(url: string): string;
}

/** The policies that were made, by name; every address that one of them lets through is marked with its name. */
let policies: Map<string, Rules>;

function requireTrustedTypes({ allowed = ['vecinity', 'default'], hasDefault = false } = {}): void {
  vi.stubGlobal('trustedTypes', {
    defaultPolicy: hasDefault ? {} : null,
    createPolicy(name: string, rules: Rules) {
      if (!allowed.includes(name)) throw new TypeError(`The policy ${name} is not allowed.`);
      policies.set(name, rules);
      return { createScriptURL: (url: string) => `${name} ${rules.createScriptURL(url)}` };
    },
  });
}

beforeEach(() => {
  policies = new Map();
  vi.stubGlobal('location', { href: 'https://site.example/app/', origin: 'https://site.example' });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

/** A fresh copy: the page's policy is made once for all. */
const load = async () => await import('../../src/wire/trusted-scripts.js');
const own = new URL('https://site.example/worker.js');
const foreign = new URL('https://elsewhere.example/worker.js');

test('an address is as it is where nothing is asked for, and where the site decides by a policy of its own', async () => {
  const { trustScript } = await load();
  expect(trustScript(own)).toBe(own.href);
  requireTrustedTypes({ hasDefault: true });
  expect(trustScript(own)).toBe(own.href);
  expect([...policies.keys()]).toEqual([]);
});

test('an address of our own origin passes our policy, which is made once; another one is left to the sink', async () => {
  requireTrustedTypes();
  const { trustScript } = await load();
  expect(trustScript(own)).toBe(`vecinity ${own.href}`);
  expect(trustScript(own)).toBe(`vecinity ${own.href}`);
  expect(trustScript(foreign)).toBe(foreign.href);
  expect([...policies.keys()]).toEqual(['vecinity']);
});

test('where our policy is not allowed the sink says what is wrong', async () => {
  requireTrustedTypes({ allowed: [] });
  const { trustScript, trustOwnScripts } = await load();
  expect(trustScript(own)).toBe(own.href);
  trustOwnScripts();
  expect([...policies.keys()]).toEqual([]);
});

test('in a worker of ours the default policy lets scripts of its origin through and no other', async () => {
  requireTrustedTypes();
  const { trustOwnScripts } = await load();
  trustOwnScripts();
  const rules = policies.get('default');
  expect(rules?.createScriptURL('thread.js')).toBe('https://site.example/app/thread.js');
  expect(() => rules?.createScriptURL(foreign.href)).toThrow(TypeError);
});

test('a worker whose site has a default policy keeps that', async () => {
  requireTrustedTypes({ hasDefault: true });
  (await load()).trustOwnScripts();
  expect([...policies.keys()]).toEqual([]);
});
