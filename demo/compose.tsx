/** What is compared: the examples, the field for sentences, and remarks on what is in it. */
import { Editor } from './editor.js';
import { exampleOf, examples } from './examples.js';
import { maxSentences, type Sentences } from './lines.js';

export interface ComposeProps {
  text: string;
  onText(text: string): void;
  sentences: Sentences;
  marked: readonly number[];
}

export function Compose({ text, onText, sentences, marked }: ComposeProps) {
  const current = exampleOf(text);
  return (
    <section class="compose" aria-labelledby="compose-title">
      <div class="section-head">
        <h2 id="compose-title">Sentences</h2>
        <p class="soft" id="compose-count">
          {countWords(sentences.texts.length)}, one a line
        </p>
      </div>
      <fieldset class="chips">
        <legend class="visually-hidden">Examples</legend>
        {examples.map((example) => (
          <button
            key={example.name}
            type="button"
            class="chip"
            aria-pressed={example === current}
            onClick={() => onText(example.sentences.join('\n'))}
          >
            {example.name}
          </button>
        ))}
      </fieldset>
      <Editor text={text} onText={onText} marked={marked} describedBy="compose-count compose-notes" />
      <div id="compose-notes" class="compose-notes" role="status">
        {sentences.dropped > 0 && (
          <p class="note">
            The map shows {maxSentences} sentences. {countWords(sentences.dropped)} below the line are left out.
          </p>
        )}
        {current?.note && <p class="soft">{current.note}</p>}
      </div>
    </section>
  );
}

function countWords(count: number): string {
  return count === 1 ? '1 sentence' : `${count} sentences`;
}
