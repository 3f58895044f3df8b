import { describe, expect, it } from 'vitest';
import { createLog } from '../../src/cli/log.js';

describe("a server's log", () => {
  const lines: string[] = [];
  const keep = (line: string) => void lines.splice(0, 1, line);

  it('is an object a line for programs', () => {
    createLog('json', keep)('request', { status: 200, requestId: null });
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      ...{ time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/), event: 'request' },
      ...{ status: 200, requestId: null },
    });
  });

  it('is words for people, on one line whatever a request says', () => {
    createLog('text', keep)('request', { path: '/a\nb', status: 200, requestId: null, models: ['x'] });
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d request path="\/a\\nb" status=200 models=\["x"\]$/);
  });
});
