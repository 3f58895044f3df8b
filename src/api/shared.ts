/** Paths that several APIs have; whose words are spoken there is decided by the body. */
import { openaiRerank } from './openai.js';
import type { Dialect } from './route.js';
import { sharedRoute } from './shared-route.js';
import { teiRerank, teiTokenize } from './tei.js';

export const shared: Dialect = [
  sharedRoute({ paths: ['/rerank'], summary: 'Sorts documents by their relevance to a query.' }, [
    teiRerank,
    openaiRerank,
  ]),
  sharedRoute({ paths: ['/tokenize'], summary: 'Turns texts into tokens.' }, [teiTokenize]),
];
