/** What a tab hears on its channels, on stand-ins of the platform whose messages are in the test's hand. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type BrowserTab, openTab } from '../../src/sharing/browser-tab.js';
import type { Announcement, ToFollower } from '../../src/sharing/messages.js';

const epoch = `${'1'.padStart(16, '0')}:tab`;
const channels = new Map<string, { onmessage: (event: { data: unknown }) => void }>();

/** What any script of the site may post by mistake, or a fuzzer on purpose. */
const garbage: readonly unknown[] = [
  ...[null, undefined, 0, 1, '', 'leader', true, [], [1], {}, new Map(), new ArrayBuffer(8)],
  ...[{ type: 'leader' }, { type: 'leader', epoch: 7 }, { type: 'leader', epoch: {} }, { epoch }],
  ...[
    { type: 'hello', from: 'x', latest: 'zzz' },
    { type: { type: 'leader' }, epoch },
  ],
  JSON.parse('{"__proto__":{"type":"leader"},"constructor":{"prototype":{"epoch":"x"}}}'),
  { type: 'leader', from: 'x', epoch: '9'.repeat(1_000_000) },
];

let tab: BrowserTab;

beforeEach(async () => {
  channels.clear();
  const request = async (...given: unknown[]) => await (given.at(-1) as () => unknown)();
  vi.stubGlobal('navigator', { locks: { request } });
  vi.stubGlobal(
    'BroadcastChannel',
    class {
      onmessage = () => {};

      constructor(name: string) {
        channels.set(name, this);
      }

      close(): void {}
    },
  );
  tab = await openTab({ family: 'family', group: Promise.resolve('group'), startEngine: () => expect.unreachable() });
});

afterEach(() => {
  tab.close();
  vi.unstubAllGlobals();
});

it('hears of what is said to all only what has the form of our messages', () => {
  const heard: Announcement[] = [];
  tab.listen((message) => heard.push(message));
  const messages: Announcement[] = [
    { type: 'hello', from: 'other', visible: true, latest: '' },
    { type: 'hello', from: 'other', visible: true, latest: epoch },
    { type: 'leader', epoch, stolen: false },
  ];
  for (const data of [...garbage, ...messages]) channels.get('group')?.onmessage({ data });
  expect(heard).toEqual(messages);
});

it('hears the same of its own conversation', () => {
  const heard: ToFollower[] = [];
  tab.follow((message) => heard.push(message));
  const messages: ToFollower[] = [
    { type: 'welcome', epoch },
    { type: 'result', epoch, id: 1, value: null },
  ];
  for (const data of [...garbage, ...messages]) channels.get(`family:tab:${tab.id}`)?.onmessage({ data });
  expect(heard).toEqual(messages);
});
