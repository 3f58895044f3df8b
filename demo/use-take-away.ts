/** Puts the map on the clipboard or into a file, and remembers for a moment what was taken, or why it failed. */
import { useEffect, useState } from 'preact/hooks';
import { messageOf } from './failure.js';
import type { MapView } from './plot.js';
import { toPng } from './png.js';
import { type SimilarityTable, toCsv, toJson } from './table.js';
import type { TakeAway } from './toolbar.js';
import type { Similarity } from './use-similarity.js';

const shownMs = 2500;

export interface TakeAwaySource {
  similarity: Similarity;
  view: MapView;
  drawing: SVGSVGElement | null;
  link: string;
}

export interface TakeAwayHandle {
  done: TakeAway | null;
  /** A sentence about the last action, for the status line; null when there is nothing to say. */
  message: string | null;
  failed: boolean;
  take(what: TakeAway, source: TakeAwaySource): void;
}

const messages = {
  csv: 'Copied as CSV.',
  json: 'Copied as JSON.',
  png: 'Saved as PNG.',
  link: 'Link copied. It holds your sentences in the part after #, which is not sent to any server.',
} as const satisfies Record<TakeAway, string>;

interface Outcome {
  what: TakeAway;
  error: string | null;
}

export function useTakeAway(): TakeAwayHandle {
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  useEffect(() => {
    if (outcome === null || outcome.error !== null) return;
    const timer = setTimeout(() => setOutcome(null), shownMs);
    return () => clearTimeout(timer);
  }, [outcome]);

  const take = (what: TakeAway, source: TakeAwaySource) => {
    perform(what, source).then(
      () => setOutcome({ what, error: null }),
      (error: unknown) => setOutcome({ what, error: messageOf(error) }),
    );
  };
  const failed = outcome !== null && outcome.error !== null;
  const message = outcome === null ? null : (outcome.error ?? messages[outcome.what]);
  return { done: failed ? null : (outcome?.what ?? null), message, failed, take };
}

async function perform(what: TakeAway, { similarity, view, drawing, link }: TakeAwaySource): Promise<void> {
  switch (what) {
    case 'csv':
      return await navigator.clipboard.writeText(toCsv(toTable(similarity)));
    case 'json':
      return await navigator.clipboard.writeText(toJson(toTable(similarity)));
    case 'link':
      return await navigator.clipboard.writeText(link);
    case 'png':
      if (drawing === null) throw new Error('The map is not drawn yet.');
      return download(await toPng(drawing, view, `Cosine similarity, ${similarity.exchange.answer.model}`));
    default:
      return what satisfies never;
  }
}

function toTable({ texts, values, exchange }: Similarity): SimilarityTable {
  return { model: exchange.answer.model, texts, values };
}

/** The address must outlive the click: the browser reads it after the handler has returned. */
function download(picture: Blob): void {
  const address = URL.createObjectURL(picture);
  const anchor = document.createElement('a');
  anchor.href = address;
  anchor.download = 'similarity.png';
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
