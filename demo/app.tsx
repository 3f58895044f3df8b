/** The playground: holds what the person chose and typed, and lays the parts out. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { Compose } from './compose.js';
import { type EngineChoice, isReranker, type Session } from './engine.js';
import { firstExample } from './examples.js';
import type { Place } from './geometry.js';
import { readSentences } from './lines.js';
import { Masthead } from './masthead.js';
import { ModelForm } from './model-form.js';
import { useModels } from './models.js';
import { RequestPanel } from './request-panel.js';
import { Result } from './result.js';
import { readLink, toLink } from './share.js';
import { Failure, Loading, SessionStatus } from './status.js';
import { StoragePanel } from './storage.js';
import { UpdatePrompt } from './update-prompt.js';
import { type EngineHandle, useEngine } from './use-engine.js';
import { type SimilarityState, useSimilarity } from './use-similarity.js';
import { type ThemeHandle, useTheme } from './use-theme.js';

export function App() {
  const opening = useMemo(() => readLink(location.href), []);
  const [text, setText] = useState(opening.text ?? firstExample);
  const [choice, setChoice] = useState<EngineChoice>(opening.choice);
  const [cursor, setCursor] = useState<Place | null>(null);
  const [attempt, setAttempt] = useState(0);
  const [truncate, setTruncate] = useState(false);
  const sentences = useMemo(() => readSentences(text), [text]);
  const engine = useEngine(choice);
  const session = engine.state.phase === 'ready' ? engine.state.session : null;
  const similarity = useSimilarity(session, sentences.texts, { truncate, attempt });
  const models = useModels();
  const theme = useTheme();
  const notice = <EngineNotice engine={engine} choice={choice} onChoice={setChoice} />;
  const link = toLink(location.href, text, choice);
  const hasMap = similarity.similarity !== null;
  useEffect(() => setCursor(null), [similarity.similarity]);

  return (
    <>
      <Masthead {...theme} session={session} />
      <main class="layout">
        <div class="side">
          <Compose text={text} onText={setText} sentences={sentences} marked={markedBy(cursor)} />
          <ModelForm choice={choice} onChoice={({ storageFull: _, ...next }) => setChoice(next)} models={models} />
          {hasMap && notice}
          {session !== null && <SessionStatus session={session} />}
          <StoragePanel changed={engine.state.phase} used={session?.status.id ?? null} />
        </div>
        <section class="result" aria-label="Similarity map">
          {!hasMap && notice}
          <Stage
            state={similarity}
            session={session}
            count={sentences.texts.length}
            theme={theme}
            link={link}
            cursor={cursor}
            onCursor={setCursor}
            onAgain={() => setAttempt(attempt + 1)}
            onTruncate={() => setTruncate(true)}
          />
        </section>
      </main>
      {similarity.similarity !== null && <RequestPanel exchange={similarity.similarity.exchange} />}
      <UpdatePrompt link={link} />
    </>
  );
}

function markedBy(cursor: Place | null): number[] {
  return cursor === null ? [] : [cursor.row + 1, cursor.column + 1];
}

interface EngineNoticeProps {
  engine: EngineHandle;
  choice: EngineChoice;
  onChoice(choice: EngineChoice): void;
}

/** In place of the map at first; later beside the choice of the model, which on a phone is far from the map's top. */
function EngineNotice({ engine: { state, retry }, choice, onChoice }: EngineNoticeProps) {
  const { model } = choice;
  if (state.phase === 'loading') return <Loading model={model} progress={state.progress} />;
  if (state.phase === 'ready') return null;
  const again = { label: 'Try again', onClick: retry };
  const room = [
    { label: 'Delete what was used least lately', onClick: () => onChoice({ ...choice, storageFull: 'evict' }) },
    { label: 'Use it without storing it', onClick: () => onChoice({ ...choice, storageFull: 'memory' }) },
  ];
  const actions = state.isStorageFull ? [again, ...room] : [again];
  return <Failure title={`${model} could not be loaded.`} message={state.message} actions={actions} />;
}

interface StageProps {
  state: SimilarityState;
  /** The model that answers, once it is there. */
  session: Session | null;
  count: number;
  theme: ThemeHandle;
  link: string;
  cursor: Place | null;
  onCursor(cursor: Place | null): void;
  onAgain(): void;
  /** Lets sentences be cut that are too long for the model. */
  onTruncate(): void;
}

/** The former map stays in sight, dimmed, while a model loads or an answer is awaited. */
function Stage({ state, session, count, theme, link, cursor, onCursor, onAgain, onTruncate }: StageProps) {
  const { similarity, pending, error } = state;
  const isTooLong = error?.code === 'context_length_exceeded';
  const wayOut = isTooLong
    ? { label: 'Cut what is too long', onClick: onTruncate }
    : { label: 'Try again', onClick: onAgain };
  return (
    <>
      {error !== null && <Failure title="The request failed." message={error.message} actions={[wayOut]} />}
      {session !== null && isReranker(session) ? <RerankerHint model={session.status.id} /> : null}
      {count < 2 && <Hint count={count} />}
      {similarity !== null && (
        <Result
          similarity={similarity}
          pending={pending || session === null}
          theme={theme.theme}
          link={link}
          cursor={cursor}
          onCursor={onCursor}
        />
      )}
    </>
  );
}

function RerankerHint({ model }: { model: string }) {
  return (
    <div class="hint">
      <p>{model} is a reranker: it orders documents by a query and makes no vectors, so there is no map.</p>
      <p class="soft">
        It is ready and answers <code>POST /v1/rerank</code>. For a map, choose an embedding model.
      </p>
    </div>
  );
}

function Hint({ count }: { count: number }) {
  return (
    <div class="hint">
      <p>
        {count === 0 ? 'Write two sentences, one a line.' : 'One more sentence, and there is something to compare.'}
      </p>
      <p class="soft">Or take one of the examples.</p>
    </div>
  );
}
