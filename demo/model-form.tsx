/** Choice of model, device and number format. A model is one that is listed, or any hub id or address. */
import { useState } from 'preact/hooks';
import type { EngineChoice } from './engine.js';
import type { ModelList } from './models.js';

export interface ModelFormProps {
  choice: EngineChoice;
  onChoice(choice: EngineChoice): void;
  models: ModelList;
}

const deviceNames = { auto: 'Automatic', webgpu: 'WebGPU', wasm: 'WebAssembly' } as const satisfies Record<
  EngineChoice['device'],
  string
>;
const dtypeNames = {
  auto: 'Automatic',
  f32: '32-bit float',
  f16: '16-bit float',
  q8: '8-bit integer',
} as const satisfies Record<EngineChoice['dtype'], string>;

export function ModelForm({ choice, onChoice, models }: ModelFormProps) {
  return (
    <section class="model-form" aria-labelledby="model-title">
      <h2 id="model-title">Model</h2>
      <ModelField choice={choice} onChoice={onChoice} models={models} />
      <div class="fields">
        <Select
          label="Device"
          names={deviceNames}
          value={choice.device}
          onValue={(device) => onChoice({ ...choice, device })}
        />
        <Select
          label="Weights"
          names={dtypeNames}
          value={choice.dtype}
          onValue={(dtype) => onChoice({ ...choice, dtype })}
        />
      </div>
    </section>
  );
}

const other = '\u0000other';

function ModelField({ choice, onChoice, models }: ModelFormProps) {
  const listed = models.served.includes(choice.model) || models.catalogue.includes(choice.model);
  const [typing, setTyping] = useState(false);
  const open = typing || !listed;
  const choose = (value: string) => {
    setTyping(value === other);
    if (value !== other) onChoice({ ...choice, model: value });
  };
  return (
    <>
      <label class="field">
        <span class="field-name">Name</span>
        <select value={open ? other : choice.model} onChange={(event) => choose(event.currentTarget.value)}>
          <ModelGroup label="On this server" models={models.served} />
          <ModelGroup label="From the model hub" models={models.catalogue} />
          <option value={other}>Another model …</option>
        </select>
      </label>
      {open && <OtherModel model={listed ? '' : choice.model} onModel={(model) => onChoice({ ...choice, model })} />}
    </>
  );
}

function ModelGroup({ label, models }: { label: string; models: readonly string[] }) {
  if (models.length === 0) return null;
  return (
    <optgroup label={label}>
      {models.map((model) => (
        <option key={model} value={model}>
          {model}
        </option>
      ))}
    </optgroup>
  );
}

function OtherModel({ model, onModel }: { model: string; onModel(model: string): void }) {
  const [text, setText] = useState(model);
  const submit = (event: Event) => {
    event.preventDefault();
    if (text.trim() !== '') onModel(text.trim());
  };
  return (
    <form class="other-model" onSubmit={submit}>
      <label class="field">
        <span class="field-name">Hub id or address</span>
        <input
          type="text"
          value={text}
          placeholder="owner/name"
          spellcheck={false}
          autocomplete="off"
          autocapitalize="none"
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <button type="submit" class="button" disabled={text.trim() === ''}>
        Load
      </button>
    </form>
  );
}

interface SelectProps<Value extends string> {
  label: string;
  names: Readonly<Record<Value, string>>;
  value: Value;
  onValue(value: Value): void;
}

function Select<Value extends string>({ label, names, value, onValue }: SelectProps<Value>) {
  // Object.keys widens to string[]; `names` has exactly the keys of Value.
  const values = Object.keys(names) as Value[];
  const choose = (text: string) => {
    const chosen = values.find((candidate) => candidate === text);
    if (chosen !== undefined) onValue(chosen);
  };
  return (
    <label class="field">
      <span class="field-name">{label}</span>
      <select value={value} onChange={(event) => choose(event.currentTarget.value)}>
        {values.map((candidate) => (
          <option key={candidate} value={candidate}>
            {names[candidate]}
          </option>
        ))}
      </select>
    </label>
  );
}
