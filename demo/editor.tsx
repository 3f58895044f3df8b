/**
 * The text field for the sentences. A mirror of the text behind it, wrapped the same way, carries the numbers and the
 * highlight of the lines that the map's cursor is on, and gives the field its height.
 */
import { numberLines } from './lines.js';

export interface EditorProps {
  text: string;
  onText(text: string): void;
  /** Numbers of the sentences to highlight. */
  marked: readonly number[];
  describedBy: string;
}

export function Editor({ text, onText, marked, describedBy }: EditorProps) {
  return (
    <div class="editor">
      <div class="editor-sheet">
        <div class="editor-mirror" aria-hidden="true">
          {numberLines(text).map((line, index) => (
            <div
              key={index}
              class={line.number !== null && marked.includes(line.number) ? 'editor-line marked' : 'editor-line'}
            >
              <span class="editor-number">{line.number}</span>
              <span class="editor-text">{line.text || '\u200b'}</span>
            </div>
          ))}
        </div>
        <textarea
          id="sentences"
          class="editor-field"
          aria-label="Sentences, one a line"
          aria-describedby={describedBy}
          value={text}
          placeholder="One sentence a line"
          spellcheck={false}
          autocomplete="off"
          autocapitalize="sentences"
          onInput={(event) => onText(event.currentTarget.value)}
        />
      </div>
    </div>
  );
}
