/** Paths that several APIs have; whose words are spoken there is decided by the body. */

import type { Dialect } from '../route.js';
import { jinaClassify } from './jina-classify.js';
import { llamaContent, llamaInput, llamaRerank, llamaTokenize } from './llama-cpp.js';
import { openaiEmbeddings, openaiRerank } from './openai.js';
import { sharedRoute } from './shared-route.js';
import { teiRerank, teiTokenize } from './tei.js';
import { vllmClassify, vllmTokenize } from './vllm.js';

const sorts = 'Sorts documents by their relevance to a query.';
const embeds = 'Embeds texts or token ids.';

export const shared: Dialect = [
  sharedRoute({ paths: ['/rerank'], summary: sorts }, [teiRerank, openaiRerank]),
  sharedRoute({ paths: ['/reranking', '/v1/reranking'], summary: sorts }, [teiRerank, llamaRerank]),
  sharedRoute({ paths: ['/embeddings'], summary: embeds }, [llamaContent, openaiEmbeddings]),
  sharedRoute({ paths: ['/embedding'], summary: embeds }, [llamaContent, llamaInput]),
  sharedRoute(
    { paths: ['/classify', '/v1/classify'], summary: 'Classifies texts by the model’s labels or by given ones.' },
    [jinaClassify, vllmClassify],
  ),
  sharedRoute({ paths: ['/tokenize'], summary: 'Turns texts into tokens.' }, [
    teiTokenize,
    llamaTokenize,
    vllmTokenize,
  ]),
];
