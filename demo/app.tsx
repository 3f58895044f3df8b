/** The playground: holds what the person chose and typed, and lays the parts out. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { Compose } from './compose.js';
import type { EngineChoice } from './engine.js';
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
  const sentences = useMemo(() => readSentences(text), [text]);
  const engine = useEngine(choice);
  const session = engine.state.phase === 'ready' ? engine.state.session : null;
  const similarity = useSimilarity(session, sentences.texts, attempt);
  const models = useModels();
  const theme = useTheme();
  const notice = <EngineNotice engine={engine} model={choice.model} />;
  const link = toLink(location.href, text, choice);
  const hasMap = similarity.similarity !== null;
  useEffect(() => setCursor(null), [similarity.similarity]);

  return (
    <>
      <Masthead {...theme} session={session} />
      <main class="layout">
        <div class="side">
          <Compose text={text} onText={setText} sentences={sentences} marked={markedBy(cursor)} />
          <ModelForm choice={choice} onChoice={setChoice} models={models} />
          {hasMap && notice}
          {session !== null && <SessionStatus session={session} />}
          <StoragePanel changed={engine.state.phase} />
        </div>
        <section class="result" aria-label="Similarity map">
          {!hasMap && notice}
          <Stage
            state={similarity}
            ready={session !== null}
            count={sentences.texts.length}
            theme={theme}
            link={link}
            cursor={cursor}
            onCursor={setCursor}
            onAgain={() => setAttempt(attempt + 1)}
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

/** In place of the map at first; later beside the choice of the model, which on a phone is far from the map's top. */
function EngineNotice({ engine: { state, retry }, model }: { engine: EngineHandle; model: string }) {
  if (state.phase === 'loading') return <Loading model={model} progress={state.progress} />;
  if (state.phase === 'ready') return null;
  return <Failure title={`${model} could not be loaded.`} message={state.message} onRetry={retry} />;
}

interface StageProps {
  state: SimilarityState;
  /** A model is there to answer. */
  ready: boolean;
  count: number;
  theme: ThemeHandle;
  link: string;
  cursor: Place | null;
  onCursor(cursor: Place | null): void;
  onAgain(): void;
}

/** The former map stays in sight, dimmed, while a model loads or an answer is awaited. */
function Stage({ state, ready, count, theme, link, cursor, onCursor, onAgain }: StageProps) {
  const { similarity, pending, error } = state;
  return (
    <>
      {error !== null && <Failure title="The request failed." message={error.message} onRetry={onAgain} />}
      {count < 2 && <Hint count={count} />}
      {similarity !== null && (
        <Result
          similarity={similarity}
          pending={pending || !ready}
          theme={theme.theme}
          link={link}
          cursor={cursor}
          onCursor={onCursor}
        />
      )}
    </>
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
