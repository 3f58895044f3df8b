/** A server's log: one line an event, as JSON for programs or as words for people. */

export type Log = (event: string, fields: object) => void;

/** `json`: one object with `time`, `event` and the fields; `text`: the same in words, without what is null. */
export function createLog(format: 'json' | 'text', writeLine: (line: string) => void): Log {
  return (event, fields) => {
    const time = new Date().toISOString();
    writeLine(format === 'json' ? JSON.stringify({ time, event, ...fields }) : toText(time, event, fields));
  };
}

function toText(time: string, event: string, fields: object): string {
  const words = Object.entries(fields).filter(([, value]) => value !== null && value !== undefined);
  return [time.slice(11, 19), event, ...words.map(([name, value]) => `${name}=${toWord(value)}`)].join(' ');
}

/** Quoted where a space or a line end would end it. */
function toWord(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /[\s"]/.test(text) && typeof value === 'string' ? JSON.stringify(text) : text;
}
