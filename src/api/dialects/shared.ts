/** Paths that several APIs have; whose words are spoken there is decided by the body. */

import { fieldOf } from '../../json-object.js';
import { useModel } from '../keep-alive.js';
import { specOf } from '../names.js';
import { remoteNameOf } from '../remote/remote.js';
import type { Call, Dialect } from '../route.js';
import { jinaClassify } from './jina-classify.js';
import { llamaContent, llamaInput, llamaRerank, llamaTokenize } from './llama-cpp.js';
import { openaiEmbeddings, openaiRerank } from './openai.js';
import { sharedRoute, type Variant } from './shared-route.js';
import { teiInvocation, teiRerank, teiTokenize } from './tei.js';
import { vllmClassify, vllmScores, vllmTokenize } from './vllm.js';

/** What vLLM's `/invocations` does with `input`. */
const vllmInput: Variant = { ...openaiEmbeddings, handle: embedOrClassify };

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
  sharedRoute(
    { paths: ['/invocations'], summary: 'Does what the body is made for, as SageMaker asks of TEI and vLLM.' },
    [...vllmScores, openaiRerank, vllmInput, teiInvocation],
  ),
];

/** vLLM embeds what it is given, unless its model classifies. */
async function embedOrClassify(call: Call): Promise<Response> {
  const { body, context } = call;
  const name = fieldOf(body, 'model');
  if (typeof name === 'string' && remoteNameOf(name, context) !== null) return await openaiEmbeddings.handle(call);
  const wanted = typeof name === 'string' ? name : null;
  const spec = await useModel(wanted, { task: 'embedding', context }, (model) => specOf(model, context));
  return await (spec?.task === 'rerank' ? vllmClassify : openaiEmbeddings).handle(call);
}
